// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0)
/*
 * Never loaded: compiled only for its BTF. A BPF object describes only the types that it uses, and no program uses all of
 * rpf_record.h (struct rpf_link is made by the core). One global of each type that crosses the seam to TypeScript makes the
 * compiler describe it; scripts/layout.mjs turns that description into the layout hash and src/record/layout.gen.ts.
 * scripts/build-bpf.mjs compares it with the BTF of the program objects.
 */
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed int __s32;
typedef signed long long __s64;

#include "rpf_record.h"

enum rpf_record_kind record_kind;
enum rpf_reason reason;
enum rpf_flags flags;
enum rpf_knobs knobs;
enum rpf_lost_where lost_where;

struct rpf_header header;
struct rpf_batch batch;
struct rpf_flow flow;
struct rpf_detail detail;
struct rpf_task task;
struct rpf_drop drop;
struct rpf_lost lost;
struct rpf_link link;
struct rpf_sysctl sysctl;
enum rpf_sysctl_flags sysctl_flags;
struct rpf_route_change route_change;
enum rpf_route_changed route_changed;
enum rpf_route_action route_action;
struct rpf_netconf netconf;
enum rpf_netconf_values netconf_values;
