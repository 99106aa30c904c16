// SPDX-License-Identifier: Apache-2.0
//
// Who we are, as istiod wants it: envoy.config.core.v3.Node. The id has four parts, sidecar~IP~POD.NS~NS.svc.DOMAIN; metadata
// values are texts, booleans too. What is empty is left out.
#pragma once

#include "base/buf.h"
#include "xds/client.h"

// The Istio version that we claim; istiod fits what it sends to it. Our own version stands behind it.
#define IST_XDS_ISTIO_VERSION "1.30.0-isthmus"

// Appends the packed Node. IST_EINVAL (pod name, namespace, IP and domain are needed), IST_ELIMIT, IST_ENOMEM.
ist_status ist_xds_node_write(const ist_xds_node *node, ist_buf *out, ist_err *err) IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;
