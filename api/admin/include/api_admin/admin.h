// SPDX-License-Identifier: Apache-2.0
//
// The admin door: health, readiness, metrics, log levels, drain, and the canonical dump of the view. Two sets of
// routes: the public one (health and metrics, for probes and scrapers on the pod's address) and the private one
// (loopback).
//
// Threads: the HTTP thread.
#pragma once

#include "api_core/http.h"
#include "api_core/status_source.h"
#include "base/attr.h"
#include "base/metric.h"
#include "mesh/findings.h"

typedef struct ist_api_admin {
    const ist_api_status_source *status; // borrowed
    ist_metrics *metrics;                // borrowed
    // Gauges of the view, made by ist_api_admin_init.
    ist_metric *services;
    ist_metric *subsets;
    ist_metric *endpoints;
    ist_metric *names;
    ist_metric *generation;
    ist_metric *stale;
    ist_metric *health[_IST_MESH_HEALTH_MAX];
    ist_metric *findings[_IST_MESH_FINDING_MAX];
    uint64_t findings_key; // hash of the revision and the clients that they were counted for; 0 = never
} ist_api_admin;

// Registers the view's gauges. IST_ENOMEM.
ist_status ist_api_admin_init(ist_api_admin *admin, const ist_api_status_source *status, ist_metrics *metrics)
    IST_NONNULL IST_MUSTCHECK;
// /healthz/live, /healthz/ready, /metrics, with the names that Istio's and Kubernetes' people try first.
ist_api_routes ist_api_admin_public_routes(ist_api_admin *admin) IST_NONNULL;
// "/", /logging, /dns, POST /drain, /debug/view.
ist_api_routes ist_api_admin_private_routes(ist_api_admin *admin) IST_NONNULL;
