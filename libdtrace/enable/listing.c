/* SPDX-License-Identifier: Apache-2.0 */
/* listing.c - dtrace -S: the code of an enabling, without the kernel seeing it. */
#include "enable/enable.h"

/* What runs the program: a probe where there is one, otherwise where it is attached. */
static void print_heading(const dt_program_t *p, FILE *fp)
{
	const dt_attachpoint_t *attach = p->attach;
	char name[DTRACE_FULLNAMELEN];
	dtrace_probedesc_t desc = p->ecbs[0]->probes[0]->desc;
	uint32_t more = 0;

	desc.dtpd_id = DTRACE_IDNONE;
	for (uint32_t i = 0; i < p->necbs; i++)
		more += p->ecbs[i]->nprobes;
	fprintf(fp, "\nprogram for %s", dtrace_desc2str(&desc, name, sizeof(name)));
	if (more > 1)
		fprintf(fp, " and %u more enabled probes", more - 1);
	if (attach->kind == DT_ATTACH_RAWTP)
		fprintf(fp, ", on the tracepoint %s", attach->target);
	fprintf(fp, ": %u clause%s, %u instructions\n", p->necbs, p->necbs == 1 ? "" : "s",
		p->code.ninsns);
}

int dtrace_program_listing(dtrace_hdl_t *hdl, FILE *fp)
{
	dt_enabling_t *en = hdl->enabling;
	int err;

	if (!en)
		return dt_set_error(hdl, EDT_NOTACTIVE, "nothing is enabled");
	if (en->phase != DT_PHASE_COMPILE)
		return dt_set_errno(hdl, EDT_ACTIVE);
	err = dt_build(hdl, en);
	for (uint32_t i = 0; err == 0 && i < en->nprograms; i++) {
		print_heading(en->programs[i], fp);
		dt_disasm(&en->programs[i]->code, fp);
	}
	dt_build_reset(en);
	return err;
}
