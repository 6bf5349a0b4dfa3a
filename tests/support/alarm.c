/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/alarm.h"

#include "tests/support/erlang.h"
#include "tests/support/require.h"

/* Sets the watermark and waits inside the node until the alarm has followed: it does so in its own
 * time, and a message that is published before is let through without a word. */
static void set_watermark(const char *watermark, const char *alarms)
{
    autofree char *script =
        format_text("ok = vm_memory_monitor:set_vm_memory_high_watermark(%s), "
                    "Follow = fun Again() -> case rabbit_alarm:get_alarms() of "
                    "%s -> ok; _ -> timer:sleep(20), Again() end end, Follow().",
            watermark, alarms);
    erlang_evaluate(script);
}

void alarm_raise(void)
{
    set_watermark("0.00001", "[_ | _]");
}

void alarm_clear(void)
{
    set_watermark("0.4", "[]");
}
