// SPDX-License-Identifier: Apache-2.0
//
// `isthmus check`.
#include "runtime/agent.h"

#include "identity_priv.h"
#include "policy_priv.h"
#include "source_files_priv.h"
#include "version.h"

static void print_finding(void *ctx, const ist_files_finding *finding)
{
    FILE *out = ctx;
    ist_buf line = IST_BUF_INIT;
    ist_files_finding_write(finding, &line);
    (void)fprintf(out, "%.*s\n", IST_STRV_ARG(ist_buf_view(&line)));
    ist_buf_done(&line);
}

static ist_status check(const ist_options *options, const identity *who, ist_files **ret_files, ist_err *err)
{
    ist_files_identity files_identity;
    policy_draft draft;
    ist_status status = policy_draft_init(&draft, options, who, err); // what the configuration file says must be usable
    if (status != IST_OK) {
        return status;
    }
    policy_draft_done(&draft);
    if (source_files_identity(who, options, &files_identity) != IST_OK) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    return ist_files_check(ist_agent_source_directory(options), &files_identity, ret_files, err);
}

int ist_agent_check(const ist_options *options, FILE *out)
{
    ist_files *files = NULL;
    identity who = {0};
    ist_err err = IST_ERR_NULL;
    int code = IST_EXIT_FAILED;
    if (ist_agent_source_directory(options).n == 0) {
        (void)fprintf(stderr, "isthmus check: give the directory to check with --source dir:PATH\n");
        return IST_EXIT_USAGE;
    }
    ist_status status = identity_init(&who, options, IST_VERSION, &err);
    if (status == IST_OK) {
        status = check(options, &who, &files, &err);
    }
    if (status != IST_OK) {
        (void)fprintf(stderr, "isthmus check: %s\n", err.text);
        goto out;
    }
    ist_files_each_finding(files, print_finding, out);
    size_t errors = ist_files_finding_count(files, IST_FILES_ERROR);
    (void)fprintf(out, "%zu errors, %zu warnings, %zu notes\n", errors,
                  ist_files_finding_count(files, IST_FILES_WARNING), ist_files_finding_count(files, IST_FILES_INFO));
    code = errors == 0 ? IST_EXIT_OK : IST_EXIT_FAILED;
out:
    ist_files_free(files);
    identity_done(&who);
    return code;
}
