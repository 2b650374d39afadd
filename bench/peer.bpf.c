/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer.bpf.c - what someone who knows BPF writes by hand for "system calls by program":
 * the raw tracepoint, the thread's name as it is, a per-CPU hash. peer.c loads it.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct key {
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 10240);
	__type(key, struct key);
	__type(value, __u64);
} counts SEC(".maps");

SEC("raw_tp/sys_enter")
int count_by_comm(void *ctx)
{
	__u64 one = 1, *count;
	struct key key;

	(void)ctx;
	bpf_get_current_comm(key.comm, sizeof(key.comm));
	count = bpf_map_lookup_elem(&counts, &key);
	if (count)
		*count += 1;
	else
		bpf_map_update_elem(&counts, &key, &one, BPF_NOEXIST);
	return 0;
}

char _license[] SEC("license") = "GPL";
