// SPDX-License-Identifier: Apache-2.0
#include "explain_priv.h"

#include <grpc/status.h>

#include <stdio.h>

void ist_xds_grpc_explain(const ist_xds_grpc_situation *situation, int grpc_status, ist_strv details, char *text)
{
    (void)situation;
    (void)grpc_status;
    (void)snprintf(text, IST_XDS_GRPC_EXPLAIN_SIZE, "%.*s", IST_STRV_ARG(details));
}
