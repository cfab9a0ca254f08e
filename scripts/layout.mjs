import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';

/**
 * Describes every `rpf_*` struct and enum in the BTF of a BPF object: what is in it, nothing of how BTF numbers it.
 * Offsets and sizes are in bytes, `bits` is the size of one element. `length` is there for arrays only.
 *
 *     { structs: [{ name: 'rpf_header', size: 16, members: [{ name: 'size', offset: 0, bits: 32, type: 'u32' }, ...] }],
 *       enums:   [{ name: 'rpf_flags', size: 4, values: [{ name: 'RPF_DEVICE', value: 1 }, ...] }] }
 *
 * `type` is `u8` ... `s64`, `char`, or the name of an `rpf_*` struct or enum. Structs and enums are sorted by name, members
 * and values stand as declared. `isWanted(name)` leaves types out. Throws when bpftool cannot read the object, or when a
 * struct holds what a record must not hold: pointers, bit fields, unions, foreign structs.
 */
export function describeLayout(objectPath, isWanted = () => true) {
  const types = readBtf(objectPath);
  const byId = new Map(types.map((type) => [type.id, type]));
  const named = types
    .filter((type) => type.name.startsWith('rpf_') && isWanted(type.name))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    structs: named.filter((type) => type.kind === 'STRUCT').map((type) => describeStruct(type, byId)),
    enums: named.filter((type) => type.kind === 'ENUM').map(describeEnum),
  };
}

/** The first 16 hex digits of the SHA-256 of a description: what the addon and src/record/layout.gen.ts are held against. */
export function layoutHash(description) {
  return createHash('sha256').update(JSON.stringify(description)).digest('hex').slice(0, 16);
}

function readBtf(objectPath) {
  // Debian puts bpftool into /usr/sbin, which is not in the PATH of ordinary users.
  const env = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` };
  const options = { env, encoding: 'utf8', maxBuffer: 64 << 20 };
  return JSON.parse(
    execFileSync('bpftool', ['btf', 'dump', 'file', objectPath, 'format', 'raw', '-j'], options),
  ).types;
}

function describeStruct(struct, byId) {
  return {
    name: struct.name,
    size: struct.size,
    members: struct.members.map((member) => describeMember(struct, member, byId)),
  };
}

function describeMember(struct, member, byId) {
  const where = `${struct.name}.${member.name}`;
  if (member.bitfield_size || member.bits_offset % 8)
    throw new Error(`${where} is a bit field; records have none`);
  const type = resolve(member.type_id, byId);
  const element = type.kind === 'ARRAY' ? resolve(type.type_id, byId) : type;
  const described = {
    name: member.name,
    offset: member.bits_offset / 8,
    bits: element.size * 8,
    type: describeType(element, where),
  };
  return type.kind === 'ARRAY' ? { ...described, length: type.nr_elems } : described;
}

function describeType(type, where) {
  if (type.kind === 'INT' && type.name === 'char') return 'char';
  if (type.kind === 'INT') return `${type.encoding === 'SIGNED' ? 's' : 'u'}${type.size * 8}`;
  if ((type.kind === 'STRUCT' || type.kind === 'ENUM') && type.name.startsWith('rpf_')) return type.name;
  throw new Error(`${where} has a type that no record may hold: ${type.kind} ${type.name}`);
}

function describeEnum(type) {
  return {
    name: type.name,
    size: type.size,
    values: type.values.map(({ name, val }) => ({ name, value: val })),
  };
}

/** Looks through typedefs and qualifiers. */
function resolve(id, byId) {
  const type = byId.get(id);
  const transparent = ['TYPEDEF', 'CONST', 'VOLATILE'].includes(type?.kind);
  return transparent ? resolve(type.type_id, byId) : type;
}
