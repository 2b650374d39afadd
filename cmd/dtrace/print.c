/* SPDX-License-Identifier: Apache-2.0 */
/*
 * print.c - the layout of a record. Three columns say where it was traced, the library
 * appends the values, a newline ends it:
 *
 *	CPU     ID                    FUNCTION:NAME
 *	  0      1                           :BEGIN   hello
 *
 * and with flowindent two, the second indented by the depth of calls:
 *
 *	CPU FUNCTION
 *	  0  -> read
 *	  0   | read:info	what is neither entry nor return
 *	  0  <- read
 */
#include "command.h"

/* A function and a probe name with what joins and indents them. */
#define LABEL_MAX (DTRACE_FUNCNAMELEN + DTRACE_NAMELEN + 16)
#define FLOW_WIDTH 41 /* of the second column with flowindent */

static void print_heading(command_t *command)
{
	if (command->heading_printed)
		return;
	command->heading_printed = true;
	if (command->flowindent)
		print(command, "%3s %-*s\n", "CPU", FLOW_WIDTH, "FUNCTION");
	else if (!command->quiet)
		print(command, "%3s %6s %32s\n", "CPU", "ID", "FUNCTION:NAME");
}

static void print_flow(command_t *command, const dtrace_probedata_t *data)
{
	const dtrace_probedesc_t *probe = data->dtpda_pdesc;
	char label[LABEL_MAX];
	int indent = data->dtpda_indent;

	if (data->dtpda_flow == DTRACEFLOW_NONE)
		snprintf(label, sizeof(label), "%s%s:%s", data->dtpda_prefix,
			 probe->dtpd_func, probe->dtpd_name);
	else
		snprintf(label, sizeof(label), "%s%s", data->dtpda_prefix,
			 probe->dtpd_func);
	print(command, "%3d %*s%-*s ", data->dtpda_cpu, indent, "",
	      indent < FLOW_WIDTH ? FLOW_WIDTH - indent : 0, label);
}

static void print_columns(command_t *command, const dtrace_probedata_t *data)
{
	const dtrace_probedesc_t *probe = data->dtpda_pdesc;
	char label[LABEL_MAX];

	snprintf(label, sizeof(label), "%s:%s", probe->dtpd_func, probe->dtpd_name);
	print(command, "%3d %6u %32s ", data->dtpda_cpu, probe->dtpd_id, label);
}

int print_probe(const dtrace_probedata_t *data, void *argument)
{
	command_t *command = argument;

	print_heading(command);
	if (command->flowindent)
		print_flow(command, data);
	else if (!command->quiet)
		print_columns(command, data);
	return DTRACE_CONSUME_THIS;
}

int print_record(const dtrace_probedata_t *data, const dtrace_recdesc_t *record,
		 void *argument)
{
	command_t *command = argument;

	if (record == NULL) {
		if (!command->quiet)
			print(command, "\n");
		return DTRACE_CONSUME_NEXT;
	}
	if (record->dtrd_action == DTRACEACT_EXIT) {
		command->status = *(const int32_t *)(const void *)data->dtpda_data;
		return DTRACE_CONSUME_NEXT;
	}
	return DTRACE_CONSUME_THIS;
}
