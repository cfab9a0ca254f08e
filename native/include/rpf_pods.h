/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * How the filter on pods knows a pod's packets: by its addresses, its network namespace, its devices in the host, and the
 * cgroups that its sockets were made in.
 */
#ifndef RPF_PODS_H
#define RPF_PODS_H

#ifndef __bpf__
#include <linux/types.h>
#endif

#define RPF_MAX_POD_KEYS \
	12288 /* 1,000 pods with two addresses, a network namespace, a device, two cgroups, and as much again */

enum rpf_pod_key_kind {
	RPF_POD_IPV4 = 4, /* bytes: the address, source or destination; the values are those of rpf_flow.family */
	RPF_POD_IPV6 = 6,
	RPF_POD_NETNS = 1,  /* number: inode number */
	RPF_POD_DEVICE = 2, /* bytes: name, padded with NUL */
	RPF_POD_CGROUP = 3, /* bytes: the id, 8 bytes, padded with NUL */
};

struct rpf_pod_key {
	__u32 kind; /* enum rpf_pod_key_kind */
	__u32 number;
	__u8 bytes[16]; /* RPF_NAME_BYTES, RPF_ADDRESS_BYTES */
};

#endif
