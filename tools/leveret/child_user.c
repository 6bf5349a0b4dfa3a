/* SPDX-License-Identifier: Apache-2.0 */
#include "child_user.h"

#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NOBODY = 65534 };

/* Not strtoul's blanks and signs, nor the number that means "leave it as it is". */
static int number_parse(const char *text, uid_t *number)
{
    char *end;
    if (!isdigit((unsigned char)*text))
        return -ENOENT;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (*end || errno || value >= UINT32_MAX)
        return -ENOENT;
    *number = (uid_t)value;
    return 0;
}

int child_user_find(const char *name, struct child_user *user)
{
    uid_t number;
    const struct passwd *entry = getpwnam(name);
    if (!entry && number_parse(name, &number) == 0) {
        entry = getpwuid(number);
        if (!entry) {
            *user = (struct child_user){.uid = number, .gid = number};
            return 0;
        }
    }
    if (entry)
        *user = (struct child_user){.uid = entry->pw_uid, .gid = entry->pw_gid};
    else if (strcmp(name, "nobody") == 0)
        *user = (struct child_user){.uid = NOBODY, .gid = NOBODY};
    else
        return -ENOENT;
    return 0;
}

int child_user_choose(const char *name, struct child_user *user)
{
    if (geteuid() == 0)
        return child_user_find(name, user);
    *user = (struct child_user){0};
    return 0;
}
