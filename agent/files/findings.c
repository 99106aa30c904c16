// SPDX-License-Identifier: Apache-2.0
#include "fields_priv.h"

const char *ist_files_level_name(ist_files_level level)
{
    switch (level) {
    case IST_FILES_ERROR:
        return "error";
    case IST_FILES_WARNING:
        return "warning";
    case IST_FILES_INFO:
        return "info";
    case _IST_FILES_LEVEL_MAX:
        break;
    }
    return "unknown";
}

void ist_files_findings_clear(ist_files_findings *findings)
{
    findings->count = 0;
    findings->dropped = 0;
    IST_VEC_DONE(findings);
}

ist_status ist_files_findings_add(ist_files_findings *findings, const ist_files_finding *finding)
{
    if (findings->count >= IST_FILES_MAX_FINDINGS) {
        findings->dropped++;
        return IST_OK;
    }
    ist_files_finding copy = *finding;
    copy.object = ist_arena_strv(findings->arena, finding->object);
    copy.field = ist_arena_strv(findings->arena, finding->field);
    copy.text = ist_arena_strv(findings->arena, finding->text);
    if (copy.object.p == NULL || copy.field.p == NULL || copy.text.p == NULL) {
        return IST_ENOMEM;
    }
    return IST_VEC_PUSH(findings, copy, IST_FILES_MAX_FINDINGS);
}

void ist_files_finding_write(const ist_files_finding *finding, ist_buf *out)
{
    ist_buf_append_strv(out, finding->file);
    if (finding->line != 0) {
        ist_buf_printf(out, ":%u:%u", finding->line, finding->column);
    }
    ist_buf_printf(out, ": %s: ", ist_files_level_name(finding->level));
    if (finding->object.n != 0) {
        ist_buf_append_strv(out, finding->object);
        ist_buf_append_str(out, ": ");
    }
    if (finding->field.n != 0) {
        ist_buf_append_strv(out, finding->field);
        ist_buf_append_str(out, ": ");
    }
    ist_buf_append_strv(out, finding->text);
}
