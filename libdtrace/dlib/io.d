/* SPDX-License-Identifier: Apache-2.0 */
/* io.d - requests to block devices, their devices and files: the provider io, and fds[]. */

inline int B_BUSY = 0x1;
inline int B_DONE = 0x2;
inline int B_ERROR = 0x4;
inline int B_PAGEIO = 0x10;
inline int B_PHYS = 0x20;
inline int B_READ = 0x40;
inline int B_WRITE = 0x100;
inline int B_ASYNC = 0x400;

typedef struct bufinfo {
	int b_flags;
	size_t b_bcount;	/* bytes */
	caddr_t b_addr;		/* not known: B_PAGEIO is set */
	uint64_t b_lblkno;	/* sector on the device */
	uint64_t b_blkno;
	size_t b_resid;		/* bytes not transferred */
	size_t b_bufsize;
	caddr_t b_iodone;	/* function called at the end */
	int b_error;
	dev_t b_edev;
} bufinfo_t;

/* Operations that send data to the device are odd. */
translator bufinfo_t < struct bio *B > {
	b_flags = B_PAGEIO | (B->bi_opf & 1 ? B_WRITE : B_READ) |
	    (B->bi_opf & (1 << __REQ_SYNC) ? 0 : B_ASYNC) | (B->bi_status ? B_ERROR : 0);
	b_bcount = B->bi_iter.bi_size;
	b_addr = 0;
	b_lblkno = B->bi_iter.bi_sector;
	b_blkno = B->bi_iter.bi_sector;
	b_resid = B->bi_iter.bi_size;
	b_bufsize = B->bi_iter.bi_size;
	b_iodone = (caddr_t)B->bi_end_io;
	b_error = B->bi_status;
	b_edev = B->bi_bdev->bd_dev;
};

typedef struct devinfo {
	int dev_major;
	int dev_minor;
	int dev_instance;
	int dev_type;
	string dev_name;	/* the disk */
	string dev_statname;	/* the disk or its partition */
	string dev_pathname;
} devinfo_t;

translator devinfo_t < struct bio *B > {
	dev_major = B->bi_bdev->bd_dev >> 20;
	dev_minor = B->bi_bdev->bd_dev & 0xfffff;
	dev_instance = 0;
	dev_name = B->bi_bdev->bd_disk->disk_name;
	dev_statname = stringof(B->bi_bdev->bd_device.kobj.name);
	dev_pathname = strjoin("/dev/", stringof(B->bi_bdev->bd_device.kobj.name));
};

typedef struct fileinfo {
	string fi_name;		/* last part of the path */
	string fi_dirname;	/* the path before it */
	string fi_pathname;
	uint64_t fi_offset;
	string fi_fs;		/* type of the file system */
	string fi_mount;
	int fi_oflags;
} fileinfo_t;

translator fileinfo_t < struct file *F > {
	fi_name = F == NULL ? "<none>" : stringof(F->f_path.dentry->d_name.name);
	fi_dirname = F == NULL ? "<none>" : dirname(d_path(&F->f_path));
	fi_pathname = F == NULL ? "<none>" : d_path(&F->f_path);
	fi_offset = F == NULL ? 0 : F->f_pos;
	fi_fs = F == NULL ? "<none>" : stringof(F->f_inode->i_sb->s_type->name);
	fi_oflags = F == NULL ? 0 : F->f_flags;
};

/* A request is of pages; the first one's file is what it is about, if it has one: pages of
 * processes and of file systems' own blocks have none. */
inline struct address_space *dt_bio_mapping[struct bio *B] =
	B->bi_io_vec == NULL || B->bi_vcnt == 0 ||
	((uintptr_t)B->bi_io_vec->bv_page->mapping & 3) != 0 ? NULL :
	B->bi_io_vec->bv_page->mapping;

inline struct hlist_node *dt_bio_alias[struct bio *B] =
	dt_bio_mapping[B] == NULL ? NULL : dt_bio_mapping[B]->host->i_dentry.first;

translator fileinfo_t < struct bio *B > {
	fi_name = dt_bio_alias[B] == NULL ? "<none>" :
	    stringof(((struct dentry *)((uintptr_t)dt_bio_alias[B] -
	    offsetof(struct dentry, d_u)))->d_name.name);
	fi_dirname = "<unknown>";
	fi_pathname = "<unknown>";
	fi_offset = dt_bio_mapping[B] == NULL ? 0 : B->bi_iter.bi_sector << 9;
	fi_fs = dt_bio_mapping[B] == NULL ? "<none>" :
	    stringof(dt_bio_mapping[B]->host->i_sb->s_type->name);
	fi_mount = "<unknown>";
	fi_oflags = 0;
};

/* A block of a file system, for which a thread waits: what is done with it is not known. */
translator bufinfo_t < struct buffer_head *H > {
	b_flags = B_BUSY | B_PAGEIO;
	b_bcount = H->b_size;
	b_addr = 0;
	b_lblkno = H->b_blocknr * (H->b_size >> 9);
	b_blkno = H->b_blocknr * (H->b_size >> 9);
	b_resid = H->b_size;
	b_bufsize = H->b_size;
	b_iodone = (caddr_t)H->b_end_io;
	b_error = 0;
	b_edev = H->b_bdev->bd_dev;
};

translator devinfo_t < struct buffer_head *H > {
	dev_major = H->b_bdev->bd_dev >> 20;
	dev_minor = H->b_bdev->bd_dev & 0xfffff;
	dev_instance = 0;
	dev_name = H->b_bdev->bd_disk->disk_name;
	dev_statname = stringof(H->b_bdev->bd_device.kobj.name);
	dev_pathname = strjoin("/dev/", stringof(H->b_bdev->bd_device.kobj.name));
};

translator fileinfo_t < struct buffer_head *H > {
	fi_name = "<unknown>";
	fi_dirname = "<unknown>";
	fi_pathname = "<unknown>";
	fi_offset = 0;
	fi_fs = "<unknown>";
	fi_mount = "<unknown>";
	fi_oflags = 0;
};

inline fileinfo_t fds[int FD] = xlate<fileinfo_t>(
	FD < 0 || FD >= curthread->files->fdt->max_fds ? (struct file *)NULL :
	curthread->files->fdt->fd[FD]);
