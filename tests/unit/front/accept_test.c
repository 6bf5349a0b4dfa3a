/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "accept.h"

static const struct {
    const char *accept;
    enum plan_encoding chosen;
} rows[] = {
    {"", PLAN_JSON},
    {"*/*", PLAN_JSON},
    {"application/json", PLAN_JSON},
    {"application/*", PLAN_JSON},
    {"application/x-yaml", PLAN_JSON},
    {"image/png", PLAN_JSON},
    {"text/plain", PLAN_STRING},
    {"TEXT/Plain", PLAN_STRING},
    {"text/*", PLAN_STRING},
    {"text/plain;charset=utf-8", PLAN_STRING},
    {" text/plain ; q=0.1 ", PLAN_STRING},
    {"text/html,text/plain", PLAN_STRING},
    {"text/plain,application/json", PLAN_JSON},
    {"application/json;q=0.5,text/plain", PLAN_STRING},
    {"application/json;q=0.5,text/plain;q=0.499", PLAN_JSON},
    {"application/json;q=0.5,text/plain;q=0.501", PLAN_STRING},
    {"application/json;q=0,*/*", PLAN_STRING},
    {"text/plain;q=0,*/*;q=0.1", PLAN_JSON},
    {"*/*;q=0.1,text/plain;q=0.2,text/*;q=0.9", PLAN_STRING},
    {"text/*,text/plain;q=0.1,application/json;q=0.2", PLAN_JSON},
    {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", PLAN_JSON},
    {"application/json, text/plain, */*", PLAN_JSON},
    {"text/plain;q=1.001", PLAN_JSON},
    {"text/plain;q=1.000", PLAN_STRING},
    {"text/plain;q=0.0001", PLAN_JSON},
    {"text/plain;q=", PLAN_JSON},
    {"text/plain;q=x", PLAN_JSON},
    {"text/plain;q=1x", PLAN_JSON},
    {"text/plain;q=0.x", PLAN_JSON},
    {"text/plain;q=2", PLAN_JSON},
    {"text/plain;Q=0.3", PLAN_STRING},
    {"text/plain;level=1;q=0", PLAN_JSON},
    {",,;,text/plain", PLAN_STRING},
    {"text/plainer", PLAN_JSON},
    {"text", PLAN_JSON},
    {";", PLAN_JSON},
};

Test(accept, weighs_json_against_plain_text)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        cr_expect_eq(accept_choose(slice_of(rows[i].accept)), rows[i].chosen, "%s", rows[i].accept);
}
