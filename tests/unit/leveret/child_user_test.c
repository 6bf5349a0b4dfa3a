/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>

#include "child_user.h"

TestSuite(child_user, .timeout = 20);

Test(child_user, is_found_by_name_and_by_number)
{
    struct child_user by_name, by_number;
    cr_assert_eq(child_user_find("daemon", &by_name), 0);
    cr_assert_eq(child_user_find("1", &by_number), 0);
    cr_expect_eq(by_name.uid, 1);
    cr_expect_eq(by_number.uid, by_name.uid);
    cr_expect_eq(by_number.gid, by_name.gid);
}

Test(child_user, nobody_is_always_there)
{
    struct child_user user;
    cr_assert_eq(child_user_find("nobody", &user), 0);
    cr_expect_eq(user.uid, 65534);
}

Test(child_user, a_number_that_nobody_has_is_its_own_group)
{
    struct child_user user;
    cr_assert_eq(child_user_find("4000000001", &user), 0);
    cr_expect_eq(user.uid, 4000000001u);
    cr_expect_eq(user.gid, 4000000001u);
}

Test(child_user, what_is_no_user_is_refused)
{
    static const char *const wrong[] = {
        "", "no such user", "-1", "+1", " 1", "1x", "4294967295", "99999999999999999999"};
    struct child_user user = {.uid = 7};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_expect_eq(child_user_find(wrong[i], &user), -ENOENT, "'%s'", wrong[i]);
    cr_expect_eq(user.uid, 7);
}
