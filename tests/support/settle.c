/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/settle.h"

#include "tests/support/erlang.h"

/* The first is answered behind every decision that was made before it; the second writes out what
 * the log's cache holds. */
void settle_declarations(void)
{
    erlang_evaluate("ok = mnesia_recover:sync(), ok = mnesia:sync_log().");
}
