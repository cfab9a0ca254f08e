import protobuf from 'protobufjs';

/**
 * Complaints of a strict reader of proto3 JSON about a message: unknown members, values of a wrong type or out of range, two of
 * a oneof. Empty: none.
 */
export function protoJsonErrors(type: protobuf.Type, message: unknown, path: string = type.name): string[] {
  if (typeof message !== 'object' || message === null) return [`${path} is no object`];
  const names = Object.keys(message);
  const twice = type.oneofsArray.filter(
    ({ oneof }) => names.filter((name) => oneof.includes(name)).length > 1,
  );
  return [
    ...twice.map(({ name }) => `${path} has several of ${name}`),
    ...names.flatMap((name) => memberErrors(type, name, (message as Record<string, unknown>)[name], path)),
  ];
}

/** Names are those of the file, not their camel case. */
export function loadProto(file: string): protobuf.Namespace {
  return new protobuf.Root().loadSync(file, { keepCase: true }).resolveAll();
}

function memberErrors(type: protobuf.Type, name: string, value: unknown, path: string): string[] {
  const field = type.fields[name];
  const at = `${path}.${name}`;
  if (!field) return [`${at} is unknown`];
  if (!field.repeated) return valueErrors(field, value, at);
  if (!Array.isArray(value)) return [`${at} is no list`];
  return value.flatMap((one, index) => valueErrors(field, one, `${at}[${index}]`));
}

function valueErrors({ type, resolvedType }: protobuf.Field, value: unknown, at: string): string[] {
  if (resolvedType instanceof protobuf.Enum)
    return typeof value === 'string' && value in resolvedType.values ? [] : [`${at} has no value ${value}`];
  if (resolvedType?.fullName === '.google.protobuf.Timestamp')
    return typeof value === 'string' && RFC3339.test(value) ? [] : [`${at} is no time: ${value}`];
  if (resolvedType) return protoJsonErrors(resolvedType, value, at);
  return isScalar(type, value) ? [] : [`${at} is no ${type}: ${value}`];
}

function isScalar(type: string, value: unknown): boolean {
  switch (type) {
    case 'string':
      return typeof value === 'string';
    case 'bool':
      return typeof value === 'boolean';
    case 'uint32':
      return Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 32;
    case 'int32':
      return Number.isInteger(value) && Math.abs(value as number) < 2 ** 31;
    case 'uint64':
      return typeof value === 'string' && /^\d+$/.test(value);
    default:
      throw new Error(`not known here: ${type}`);
  }
}

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/;
