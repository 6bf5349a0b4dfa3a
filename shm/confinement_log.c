/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/confinement_log.h"

#include <string.h>

#include "shm/log.h"

void confinement_log(const struct confinement_report *report)
{
    for (int layer = 0; layer < CONFINEMENT_N_LAYERS; layer++)
        if (report->layers[layer] < 0)
            log_line(LOG_WARN, "not-confined", "layer=%s reason=\"%s\": the others hold",
                confinement_layer_name((enum confinement_layer)layer),
                strerror(-report->layers[layer]));
    log_line(LOG_INFO, "confined", "landlock=%d",
        report->layers[CONFINEMENT_LANDLOCK] > 0 ? report->layers[CONFINEMENT_LANDLOCK] : 0);
}
