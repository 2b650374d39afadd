/* SPDX-License-Identifier: Apache-2.0 */
/*
 * paths.bpf.c - subroutines on paths: as text (basename, dirname, cleanpath), and the path
 * of a file as the kernel has it (d_path).
 */
#include "bpf/support.bpf.h"

/* ---- Parts of a path ------------------------------------------------------------ */

/* The last component is [start, end); the one before it ends at parent. */
enum { PATH_TEXT, PATH_START, PATH_END, PATH_PARENT, PATH_IN_NAME };

static long part_step(u64 i, struct dt_scratch **context)
{
	struct dt_scratch *s = *context;
	u8 c = at(s, s->work[PATH_TEXT] + i);

	if (c == 0)
		return 1;
	if (c == '/') {
		s->work[PATH_IN_NAME] = 0;
		return 0;
	}
	if (!s->work[PATH_IN_NAME]) {
		s->work[PATH_PARENT] = s->work[PATH_END];
		s->work[PATH_START] = i;
	}
	s->work[PATH_IN_NAME] = 1;
	s->work[PATH_END] = i + 1;
	return 0;
}

static __always_inline void find_parts(struct dt_scratch *s, u64 text)
{
	s->work[PATH_TEXT] = text;
	s->work[PATH_START] = -1ULL;
	s->work[PATH_END] = s->work[PATH_PARENT] = s->work[PATH_IN_NAME] = 0;
	dt_loop(s, ROUNDS, part_step);
}

static __always_inline void one_char(struct dt_scratch *s, u64 dst, u8 c)
{
	put(s, dst, c);
	put(s, dst + 1, 0);
}

int dt_basename(struct dt_scratch *s, u64 dst, u64 text)
{
	if (!s)
		return 0;
	find_parts(s, text);
	if ((s64)s->work[PATH_START] < 0)
		one_char(s, dst, at(s, text) ? '/' : '.');
	else
		copy_part(s, dst, text, s->work[PATH_START], s->work[PATH_END]);
	return 0;
}

int dt_dirname(struct dt_scratch *s, u64 dst, u64 text)
{
	if (!s)
		return 0;
	find_parts(s, text);
	if (s->work[PATH_PARENT] > 0)
		copy_part(s, dst, text, 0, s->work[PATH_PARENT]);
	else
		one_char(s, dst, at(s, text) == '/' ? '/' : '.');
	return 0;
}

/* ---- Redundant parts ------------------------------------------------------------ */

/*
 * The result is written while the path is read. A slash, and dots after one, are held
 * back until it is known what they are; back() then takes the last component away.
 */
enum { CLEAN_TEXT, CLEAN_DST, CLEAN_AT, CLEAN_LENGTH, CLEAN_STATE };
enum { IN_NAME, AFTER_SLASH, AFTER_DOT, AFTER_DOTS, GOING_BACK };

static __always_inline void clean_put(struct dt_scratch *s, u8 c)
{
	u64 n = s->work[CLEAN_LENGTH];

	put(s, s->work[CLEAN_DST] + n, c);
	s->work[CLEAN_LENGTH] = n + 1;
}

/* One round takes one character of the result away, up to and with a slash. */
static __always_inline void clean_back(struct dt_scratch *s)
{
	u64 n = s->work[CLEAN_LENGTH];

	if (n > 0) {
		n--;
		s->work[CLEAN_LENGTH] = n;
	}
	if (n == 0 || at(s, s->work[CLEAN_DST] + n) == '/')
		s->work[CLEAN_STATE] = AFTER_SLASH;
}

static long clean_step(u64 i, struct dt_scratch **context)
{
	struct dt_scratch *s = *context;
	u64 state = s->work[CLEAN_STATE];
	u8 c;

	if (state == GOING_BACK) {
		clean_back(s);
		return 0;
	}
	c = at(s, s->work[CLEAN_TEXT] + s->work[CLEAN_AT]);
	if (state == AFTER_DOTS && (c == '/' || c == 0)) {
		s->work[CLEAN_STATE] = GOING_BACK; /* and see c again */
		return 0;
	}
	s->work[CLEAN_AT]++;
	if (c == '/' && (state == AFTER_SLASH || state == AFTER_DOT || state == IN_NAME)) {
		s->work[CLEAN_STATE] = AFTER_SLASH;
		return 0;
	}
	if (c == '.' && (state == AFTER_SLASH || state == AFTER_DOT)) {
		s->work[CLEAN_STATE] = state + 1;
		return 0;
	}
	/* What was held back is a name's, or the path's, end. */
	if (state != IN_NAME)
		clean_put(s, '/');
	if (state == AFTER_DOT || state == AFTER_DOTS)
		clean_put(s, '.');
	if (state == AFTER_DOTS)
		clean_put(s, '.');
	s->work[CLEAN_STATE] = IN_NAME;
	clean_put(s, c);
	return c == 0;
}

int dt_cleanpath(struct dt_scratch *s, u64 dst, u64 text)
{
	if (!s)
		return 0;
	s->work[CLEAN_TEXT] = text;
	s->work[CLEAN_DST] = dst;
	s->work[CLEAN_AT] = s->work[CLEAN_LENGTH] = 0;
	s->work[CLEAN_STATE] = IN_NAME;
	/* Each character is read twice at most, and taken back once. */
	dt_loop(s, ROUNDS * 3, clean_step);
	return 0;
}

/* ---- A file's path -------------------------------------------------------------- */

DT_MEMBER(path, dentry);
DT_MEMBER(path, mnt);
DT_MEMBER(dentry, d_parent);
DT_MEMBER(dentry, d_name);
DT_MEMBER(dentry, d_hash);
DT_MEMBER(dentry, d_sb);
DT_MEMBER(dentry, d_inode);
DT_MEMBER(inode, i_ino);
DT_MEMBER(super_block, s_type);
DT_MEMBER(file_system_type, name);
DT_MEMBER(qstr, name);
DT_MEMBER(qstr, len);
DT_MEMBER(hlist_bl_node, pprev);
DT_MEMBER(vfsmount, mnt_root);
DT_MEMBER(mount, mnt);
DT_MEMBER(mount, mnt_parent);
DT_MEMBER(mount, mnt_mountpoint);
DT_MEMBER(task_struct, fs);
DT_MEMBER(fs_struct, root);

/*
 * As d_path() of the kernel, which programs may not call from everywhere: from the file up
 * to the process's root, through the mounts, names written from the end of a buffer of
 * DPATH_SIZE bytes towards its beginning.
 */
#define DPATH_SIZE 4096 /* PATH_MAX */
#define NAME_MAX 255
enum {
	DP_DENTRY,
	DP_MNT,
	DP_ROOT_DENTRY,
	DP_ROOT_MNT,
	DP_BUFFER,
	DP_AT,
	DP_VALUE,
	DP_FAILED
};

static __always_inline u64 kernel_word(struct dt_scratch *s, u64 address)
{
	if (bpf_probe_read_kernel(&s->work[DP_VALUE], 8, (void *)address) != 0)
		s->work[DP_FAILED] = 1;
	return s->work[DP_VALUE];
}

/* Puts n bytes of kernel memory before what is there; 0: no room. */
static __always_inline int put_before(struct dt_scratch *s, u64 text, u64 n)
{
	u64 where = s->work[DP_AT], limit = dt_value(dt_scratch_bytes);

	if (n > NAME_MAX || where < n + 1)
		return 0;
	where -= n;
	s->work[DP_AT] = where;
	where += s->work[DP_BUFFER];
	if (where >= limit)
		return 0;
	return bpf_probe_read_kernel(&s->bytes[where], (u32)n, (void *)text) == 0;
}

static __always_inline int put_slash(struct dt_scratch *s)
{
	u64 where = s->work[DP_AT];

	if (where == 0)
		return 0;
	s->work[DP_AT] = where - 1;
	put(s, s->work[DP_BUFFER] + where - 1, '/');
	return 1;
}

/* At the root of a mounted file system: on to where it is mounted. 0: nowhere. */
static __always_inline int leave_mount(struct dt_scratch *s)
{
	u64 mount = s->work[DP_MNT] - dt_offset(mount, mnt);
	u64 parent = kernel_word(s, mount + dt_offset(mount, mnt_parent));

	if (parent == mount || parent == 0)
		return 0;
	s->work[DP_DENTRY] = kernel_word(s, mount + dt_offset(mount, mnt_mountpoint));
	s->work[DP_MNT] = parent + dt_offset(mount, mnt);
	return !s->work[DP_FAILED];
}

static long up_step(u64 i, struct dt_scratch **context)
{
	struct dt_scratch *s = *context;
	u64 dentry = s->work[DP_DENTRY], parent, name;
	u32 n;

	if (dentry == s->work[DP_ROOT_DENTRY] && s->work[DP_MNT] == s->work[DP_ROOT_MNT])
		return 1;
	parent = kernel_word(s, dentry + dt_offset(dentry, d_parent));
	if (dentry == kernel_word(s, s->work[DP_MNT] + dt_offset(vfsmount, mnt_root)) ||
	    dentry == parent)
		return !leave_mount(s);
	name = dentry + dt_offset(dentry, d_name);
	n = (u32)kernel_word(s, name + dt_offset(qstr, len));
	name = kernel_word(s, name + dt_offset(qstr, name));
	if (s->work[DP_FAILED] || !put_before(s, name, n) || !put_slash(s))
		return 1;
	s->work[DP_DENTRY] = parent;
	return 0;
}

/* " (deleted)", as the kernel says it: in no directory any more. */
static __always_inline void put_deleted(struct dt_scratch *s)
{
	static const char words[] = " (deleted)";

	s->work[DP_AT] -= sizeof(words) - 1;
#pragma unroll
	for (u32 i = 0; i < sizeof(words) - 1; i++)
		put(s, s->work[DP_BUFFER] + DPATH_SIZE - sizeof(words) + i, (u8)words[i]);
}

static __always_inline void mark_deleted(struct dt_scratch *s, u64 dentry, u64 parent)
{
	if (parent != dentry && !kernel_word(s, dentry + dt_offset(dentry, d_hash) +
						    dt_offset(hlist_bl_node, pprev)))
		put_deleted(s);
}

static __always_inline void put_char(struct dt_scratch *s, u8 c)
{
	u64 where = s->work[DP_AT] - 1;

	s->work[DP_AT] = where;
	put(s, s->work[DP_BUFFER] + where, c);
}

static long ino_step(u64 i, struct dt_scratch **context)
{
	struct dt_scratch *s = *context;

	put_char(s, '0' + s->work[DP_VALUE] % 10);
	s->work[DP_VALUE] /= 10;
	return s->work[DP_VALUE] == 0;
}

/* The first four characters of a word of text. */
#define KIND(a, b, c, d) ((u32)(a) | (u32)(b) << 8 | (u32)(c) << 16 | (u32)(d) << 24)
#define KIND_PIPE KIND('p', 'i', 'p', 'e')
#define KIND_SOCK KIND('s', 'o', 'c', 'k')
#define KIND_ANON KIND('a', 'n', 'o', 'n')

/*
 * A file that is in no directory: pipe:[N] and socket:[N] by the number of the inode,
 * anon_inode:NAME, and what had a name, with the sign that it is gone.
 */
static __always_inline void put_nameless(struct dt_scratch *s, u64 dentry)
{
	u64 text = s->work[DP_BUFFER], name = dentry + dt_offset(dentry, d_name), address;
	u64 kind = kernel_word(s, dentry + dt_offset(dentry, d_sb));
	u32 n = (u32)kernel_word(s, name + dt_offset(qstr, len)), which;
	long size;

	name = kernel_word(s, name + dt_offset(qstr, name));
	kind = kernel_word(s, kind + dt_offset(super_block, s_type));
	kind = kernel_word(s, kind + dt_offset(file_system_type, name));
	if (text >= dt_value(dt_scratch_bytes))
		return;
	address = (u64)&s->bytes[text];
	size = bpf_probe_read_kernel_str(&s->bytes[text], 32, (void *)kind); /* "pipefs" */
	if (size < 4) {
		s->work[DP_FAILED] = 1;
		return;
	}
	which = (u32)word_at(s, text);
	if (which == KIND_PIPE || which == KIND_SOCK) {
		put_char(s, ']');
		kernel_word(s, kernel_word(s, dentry + dt_offset(dentry, d_inode)) +
				   dt_offset(inode, i_ino));
		dt_loop(s, 20, ino_step);
		put_char(s, '[');
	} else if (which == KIND_ANON) {
		put_before(s, name, n);
	} else {
		put_deleted(s);
		if (put_before(s, name, n))
			put_slash(s);
		return;
	}
	put_char(s, ':');
	if (which == KIND_SOCK) {
		put_char(s, 't');
		put_char(s, 'e');
	}
	put_before(s, address, (u64)size - 3); /* without "fs" */
}

/* -1: the address is none of a path. buffer has DPATH_SIZE bytes. */
int dt_d_path(struct dt_scratch *s, u64 dst, u64 buffer, u64 path)
{
	u64 root, dentry, parent;

	if (!s)
		return 0;
	s->work[DP_FAILED] = 0;
	s->work[DP_BUFFER] = buffer;
	s->work[DP_AT] = DPATH_SIZE - 1;
	put(s, buffer + DPATH_SIZE - 1, 0);
	root = kernel_word(s, (u64)bpf_get_current_task() + dt_offset(task_struct, fs)) +
	       dt_offset(fs_struct, root);
	s->work[DP_ROOT_DENTRY] = kernel_word(s, root + dt_offset(path, dentry));
	s->work[DP_ROOT_MNT] = kernel_word(s, root + dt_offset(path, mnt));
	s->work[DP_FAILED] = 0; /* a thread of the kernel that is ending has none */
	dentry = kernel_word(s, path + dt_offset(path, dentry));
	s->work[DP_DENTRY] = dentry;
	s->work[DP_MNT] = kernel_word(s, path + dt_offset(path, mnt));
	parent = kernel_word(s, dentry + dt_offset(dentry, d_parent));
	if (!s->work[DP_FAILED] && parent == dentry &&
	    dentry != kernel_word(s, s->work[DP_MNT] + dt_offset(vfsmount, mnt_root))) {
		put_nameless(s, dentry);
	} else {
		mark_deleted(s, dentry, parent);
		dt_loop(s, DPATH_SIZE, up_step);
		if (at(s, buffer + s->work[DP_AT]) != '/')
			put_slash(s);
	}
	if (s->work[DP_FAILED])
		return -1;
	copy_part(s, dst, buffer, s->work[DP_AT], DPATH_SIZE - 1);
	return 0;
}
