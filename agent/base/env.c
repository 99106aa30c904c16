// SPDX-License-Identifier: Apache-2.0
#include "base/env.h"

#include <string.h>

const char *ist_env_find(const char *const *env, const char *name)
{
    size_t length = strlen(name);
    for (; *env != NULL; env++) {
        if (strncmp(*env, name, length) == 0 && (*env)[length] == '=') {
            return *env + length + 1;
        }
    }
    return NULL;
}
