"""Sets rp_filter of a device by netlink, as no file below /proc/sys is written:  set_inet_conf.py DEVICE VALUE"""
import socket
import struct
import sys

RTM_SETLINK, NLM_F_REQUEST, NLM_F_ACK = 19, 1, 4
IFLA_AF_SPEC, IFLA_INET_CONF, IPV4_DEVCONF_RP_FILTER = 26, 1, 8
NESTED = 0x8000


def attribute(kind, payload):
    length = 4 + len(payload)
    return struct.pack("HH", length, kind) + payload + b"\0" * (-length % 4)


device, value = sys.argv[1], int(sys.argv[2])
conf = attribute(IPV4_DEVCONF_RP_FILTER, struct.pack("I", value))
spec = attribute(
    IFLA_AF_SPEC | NESTED,
    attribute(socket.AF_INET | NESTED, attribute(IFLA_INET_CONF | NESTED, conf)),
)
link = struct.pack("BxHiII", socket.AF_UNSPEC, 0, socket.if_nametoindex(device), 0, 0) + spec
netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
netlink.send(struct.pack("IHHII", 16 + len(link), RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0) + link)
error = struct.unpack_from("i", netlink.recv(4096), 16)[0]
if error:
    raise OSError(-error, "RTM_SETLINK")
