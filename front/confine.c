/* SPDX-License-Identifier: Apache-2.0 */
#include "confine.h"

#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "shm/confinement.h"
#include "shm/log.h"

static const struct filter_rule rules[] = {
    {.call = SYS_accept4},
    /* what the client has not acknowledged, and what it has sent since */
    {.call = SYS_ioctl, .check = FILTER_IS, .argument = 1, .operand = SIOCOUTQ},
    {.call = SYS_ioctl, .check = FILTER_IS, .argument = 1, .operand = FIONREAD},
};

static void report_log(const struct confinement_report *report)
{
    for (int layer = 0; layer < CONFINEMENT_N_LAYERS; layer++)
        if (report->layers[layer] < 0)
            log_line(LOG_WARN, "not-confined", "layer=%s reason=\"%s\": the others hold",
                confinement_layer_name((enum confinement_layer)layer),
                strerror(-report->layers[layer]));
    log_line(LOG_INFO, "confined", "landlock=%d",
        report->layers[CONFINEMENT_LANDLOCK] > 0 ? report->layers[CONFINEMENT_LANDLOCK] : 0);
}

void front_confine(const struct control_message *start)
{
    const struct filter_table filter = FILTER_TABLE(rules);
    const struct confinement confinement = {
        .uid = start->uid, .gid = start->gid, .filters = &filter, .n_filters = 1};
    struct confinement_report report;
    if (!start->is_confined || !confinement_is_possible())
        return;
    confine(&confinement, &report);
    report_log(&report);
}
