"""Reads lines of proto3 JSON as messages of a type, by protobuf's own parser. Prints what it says of those that it does not take.

    proto_json.py DESCRIPTORS TYPE < LINES
"""

import sys

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

with open(sys.argv[1], "rb") as descriptors:
    files = descriptor_pb2.FileDescriptorSet.FromString(descriptors.read()).file
pool = descriptor_pool.DescriptorPool()
for file in files:
    pool.Add(file)
Message = message_factory.MessageFactory(pool).GetPrototype(pool.FindMessageTypeByName(sys.argv[2]))
for line in sys.stdin:
    try:
        json_format.Parse(line, Message())
    except json_format.ParseError as error:
        print(error)
