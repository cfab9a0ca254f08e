/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * The few kernel types that the programs read, with only the members they touch. CO-RE moves every access to where the
 * running kernel keeps the member, so order and size here mean nothing. UAPI constants come from the UAPI headers.
 */
#ifndef RPF_KERNEL_TYPES_H
#define RPF_KERNEL_TYPES_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* Of x86-64 alone. What stands after ___ is ours: CO-RE leaves it out when it looks for the kernel's type. */
struct pt_regs___x86 {
	unsigned long di;
};

struct ns_common {
	unsigned int inum;
};

struct net;

typedef struct {
	struct net *net;
} possible_net_t;

struct ipv4_devconf {
	int data[33]; /* IPV4_DEVCONF_* minus 1, include/uapi/linux/ip.h; [32] in v5.10 */
};

struct netns_ipv4 {
	struct ipv4_devconf *devconf_all;
};

/* Per-CPU memory: the pointer is no address of anybody's, include/net/netns/mib.h. */
struct netns_mib {
	struct linux_mib *net_statistics;
};

struct net_device;

struct net {
	struct ns_common ns;
	__u64 net_cookie; /* atomic64_t up to v5.11: the same 8 bytes */
	struct net_device *loopback_dev;
	struct netns_ipv4 ipv4;
	struct netns_mib mib;
};

/* A map of the type array. Of a per-CPU one: the per-CPU memory of each value, include/linux/bpf.h. */
struct bpf_array {
	void *pptrs[1];
};

struct in_ifaddr;

struct in_device {
	struct in_ifaddr *ifa_list;
	struct ipv4_devconf cnf;
};

struct rtnl_link_ops {
	const char *kind;
};

struct net_device {
	char name[16];
	int ifindex;
	unsigned int flags;
	unsigned short type;
	possible_net_t nd_net;
	struct in_device *ip_ptr;
	const struct rtnl_link_ops *rtnl_link_ops;
};

struct kernfs_node {
	const char *name;
	__u64 id;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

/* Up to v5.14. */
struct sock_cgroup_data___packed {
	__u64 val;
};

struct sock_common {
	volatile unsigned char skc_state;
	possible_net_t skc_net;
};

struct sock {
	struct sock_common __sk_common;
	struct sock_cgroup_data sk_cgrp_data;
};

typedef unsigned int sk_buff_data_t;

struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
	unsigned long _skb_refdst;
	unsigned int len;
	unsigned int data_len;
	int skb_iif;
	__u16 vlan_tci;
	__be16 vlan_proto;
	__u32 mark;
	__be16 protocol;
	__u16 network_header;
	__u16 mac_header;
	sk_buff_data_t tail;
	sk_buff_data_t end;
	unsigned char *head;
	unsigned char *data;
};

struct skb_shared_info {
	unsigned short gso_size;
	unsigned short gso_segs;
};

/* Stand-ins for "n bytes at this address": small types that every kernel's BTF has. */
struct in6_addr {
	union {
		__u8 u6_addr8[16];
		__be16 u6_addr16[8];
		__be32 u6_addr32[4];
	} in6_u;
};

struct timespec64 {
	__s64 tv_sec;
};

/* The first member of veth_priv is the peer, as here; veth_priv itself is not in vmlinux BTF where veth is a module. */
struct fib_nh_common {
	struct net_device *nhc_dev;
	unsigned char nhc_scope;
	__u8 nhc_gw_family;
	union {
		__be32 ipv4;
	} nhc_gw;
};

struct fib_info {
	unsigned char fib_type;
};

struct fib_nh {
	struct fib_nh_common nh_common;
	struct fib_info *nh_parent;
};

struct flowi4 {
	__be32 saddr;
	__be32 daddr;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
};

struct path {
	struct dentry *dentry;
};

struct file {
	struct path f_path;
};

struct mm_struct {
	unsigned long arg_start;
	unsigned long arg_end;
	struct file *exe_file;
};

struct nsproxy {
	struct net *net_ns;
};

struct css_set {
	struct cgroup *dfl_cgrp; /* on the cgroup v2 hierarchy */
};

struct upid {
	int nr;
};

/* The numbers of a process, one for each PID namespace around it; the innermost is numbers[level]. */
struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct task_struct {
	int tgid;
	struct pid *thread_pid;
	struct task_struct *real_parent;
	char comm[16];
	struct mm_struct *mm;
	struct nsproxy *nsproxy;
	struct css_set *cgroups;
};

#pragma clang attribute pop

#endif
