// SPDX-License-Identifier: Apache-2.0
//
// What Kubernetes tells a pod of itself: labels and annotations as the downward API writes them into files, one KEY="VALUE" a
// line, the value escaped as Go's %q does. Options take the same pairs in a row ("k=v,k2=v2"). Form only: what an annotation
// means is the runtime's business.
//
// Memory: what is found lies in the caller's arena. Threads: any.
// Source: Kubernetes, DownwardAPIVolumeSource; Istio's injector for sidecar.istio.io/status.
#pragma once

#include "base/arena.h"
#include "base/attr.h"
#include "base/status.h"
#include "base/strv.h"

#include <stdbool.h>

#define IST_POD_INFO_PAIRS_MAX 1000
#define IST_POD_INFO_FILE_MAX_BYTES ((size_t)2 << 20) // Kubernetes allows 256 KiB of annotations, before escapes

typedef struct ist_pod_pair {
    ist_strv key;
    ist_strv value;
} ist_pod_pair;

typedef struct ist_pod_info {
    const ist_pod_pair *pairs; // in the order of the text
    uint32_t count;
} ist_pod_info;

// Pairs that `separator` divides; empty parts and parts without a key count for nothing. IST_EINVAL: a quoted value that is not
// ended or has an unknown escape, with its number from 1. IST_ELIMIT, IST_ENOMEM.
ist_status ist_pod_info_parse(ist_strv text, char separator, ist_arena *arena, ist_pod_info *ret_info, ist_err *err)
    IST_NONNULL_ARGS(3, 4) IST_MUSTCHECK;
// The same from a file; also the status of the system call that failed. Errors name the file.
ist_status ist_pod_info_read(const char *path, ist_arena *arena, ist_pod_info *ret_info, ist_err *err)
    IST_NONNULL_ARGS(1, 2, 3) IST_MUSTCHECK;
// The value of a key; its p is NULL where there is none.
ist_strv ist_pod_info_value(const ist_pod_info *info, const char *key) IST_NONNULL;

// The annotation sidecar.istio.io/status: has the injector put a container of this name into the pod, an ordinary one or an
// init container that goes on running? IST_EINVAL: not in the injector's form, IST_ENOMEM.
ist_status ist_pod_info_injected(ist_strv status, const char *container, bool *ret_injected, ist_err *err)
    IST_NONNULL_ARGS(2, 3) IST_MUSTCHECK;
