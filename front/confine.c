/* SPDX-License-Identifier: Apache-2.0 */
#include "confine.h"

#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "shm/confinement.h"
#include "shm/confinement_log.h"

static const struct filter_rule rules[] = {
    {.call = SYS_accept4},
    /* what the client has not acknowledged, and what it has sent since */
    {.call = SYS_ioctl, .check = FILTER_IS, .argument = 1, .operand = SIOCOUTQ},
    {.call = SYS_ioctl, .check = FILTER_IS, .argument = 1, .operand = FIONREAD},
};

void front_confine(const struct control_message *start)
{
    const struct filter_table filter = FILTER_TABLE(rules);
    const struct confinement confinement = {
        .uid = start->uid, .gid = start->gid, .filters = &filter, .n_filters = 1};
    struct confinement_report report;
    if (!start->is_confined || !confinement_is_possible())
        return;
    confine(&confinement, &report);
    confinement_log(&report);
}
