// SPDX-License-Identifier: Apache-2.0
#include "memory_priv.h"

#include "base/strv.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

// Only segments that are run and never written: their pages are the file's, so nothing can be lost.
static bool is_code(const ElfW(Phdr) * segment)
{
    return segment->p_type == PT_LOAD && (segment->p_flags & PF_X) != 0 && (segment->p_flags & PF_W) == 0;
}

static int drop_code_of(struct dl_phdr_info *object, size_t size_bytes, void *ctx)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)size_bytes;
    (void)ctx;
    if (ist_strv_starts_with(ist_strv_from(object->dlpi_name), IST_STRV("linux-vdso"))) {
        return 0; // the kernel's own pages
    }
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        uintptr_t from = (object->dlpi_addr + segment->p_vaddr + page - 1) / page * page;
        uintptr_t to = (object->dlpi_addr + segment->p_vaddr + segment->p_filesz) / page * page;
        if (is_code(segment) && from < to) {
            (void)madvise((void *)from, to - from, MADV_DONTNEED); // else the pages stay
        }
    }
    return 0;
}

void memory_give_back(bool start_up_is_over)
{
    (void)malloc_trim(0); // nothing to give back is fine
    if (start_up_is_over) {
        (void)dl_iterate_phdr(drop_code_of, NULL); // never stopped by the callback
    }
}
