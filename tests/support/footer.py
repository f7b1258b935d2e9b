"""The footer of a Parquet file taken apart and put together again, for tests that need what no writer at hand writes:
older forms of lists, annotations left out. Thrift's compact protocol, standard library only.

    def change(metadata): ...          # a Struct; metadata[2] is the schema, metadata[4] the row groups
    rewrite("a.parquet", "b.parquet", change)
"""
import struct

STOP, TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(13)


class Struct(dict):
    """field id -> value; `kinds` has each field's type."""

    def __init__(self):
        super().__init__()
        self.kinds = {}

    def put(self, number, kind, value):
        self[number], self.kinds[number] = value, kind

    def drop(self, number):
        self.pop(number, None)
        self.kinds.pop(number, None)


class Items(list):
    kind = BINARY


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def take(self, size):
        self.at += size
        return self.data[self.at - size:self.at]

    def varint(self):
        number = shift = 0
        while True:
            byte = self.byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7

    def zigzag(self):
        number = self.varint()
        return (number >> 1) ^ -(number & 1)

    def items(self):
        head = self.byte()
        items, count = Items(), head >> 4
        items.kind = head & 15
        count = self.varint() if count == 15 else count
        items.extend(self.value(items.kind) for _ in range(count))
        return items

    def struct(self):
        made, number = Struct(), 0
        while True:
            head = self.byte()
            if head == STOP:
                return made
            number = number + (head >> 4) if head >> 4 else self.zigzag()
            kind = head & 15
            made.put(number, kind, kind == TRUE if kind in (TRUE, FALSE) else self.value(kind))

    def value(self, kind):
        if kind in (TRUE, FALSE):  # in a list
            return self.byte() == TRUE
        if kind in (I16, I32, I64):
            return self.zigzag()
        return {BYTE: self.byte, DOUBLE: lambda: self.take(8), BINARY: lambda: self.take(self.varint()),
                LIST: self.items, STRUCT: self.struct}[kind]()


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def zigzag(number):
    return varint((number << 1) ^ (number >> 63))


def list_text(items):
    size = len(items)
    head = bytes([size << 4 | items.kind]) if size < 15 else bytes([0xF0 | items.kind]) + varint(size)
    return head + b"".join(text(items.kind, item) for item in items)


def struct_text(value):
    out, last = b"", 0
    for number in sorted(value):
        kind = value.kinds[number]
        if kind in (TRUE, FALSE):
            kind = TRUE if value[number] else FALSE
        step = number - last
        out += bytes([step << 4 | kind]) if 0 < step < 16 else bytes([kind]) + zigzag(number)
        out += b"" if kind in (TRUE, FALSE) else text(kind, value[number])
        last = number
    return out + bytes([STOP])


def text(kind, value):
    if kind in (TRUE, FALSE):
        return bytes([TRUE if value else FALSE])
    if kind in (I16, I32, I64):
        return zigzag(value)
    return {BYTE: lambda: bytes([value]), DOUBLE: lambda: value, BINARY: lambda: varint(len(value)) + value,
            LIST: lambda: list_text(value), STRUCT: lambda: struct_text(value)}[kind]()


def rewrite(source, target, change):
    with open(source, "rb") as file:
        data = file.read()
    size, = struct.unpack("<I", data[-8:-4])
    metadata = Reader(data[-8 - size:-8]).struct()
    change(metadata)
    footer = struct_text(metadata)
    with open(target, "wb") as file:
        file.write(data[:-8 - size] + footer + struct.pack("<I", len(footer)) + b"PAR1")
