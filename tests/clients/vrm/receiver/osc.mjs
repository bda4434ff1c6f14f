// Reads OSC 1.0: a datagram's messages, each its address and its arguments.

export function messagesOf(data) {
  if (text(data, 0).value !== "#bundle") return [messageOf(data)];
  const messages = [];
  for (let at = 16; at < data.length; ) {
    const size = data.readInt32BE(at);
    messages.push(...messagesOf(data.subarray(at + 4, at + 4 + size)));
    at += 4 + size;
  }
  return messages;
}

function messageOf(data) {
  const address = text(data, 0);
  const tags = text(data, address.end);
  let at = tags.end;
  const values = [...tags.value.slice(1)].map((tag) => {
    if (tag === "s") {
      const word = text(data, at);
      at = word.end;
      return word.value;
    }
    at += 4;
    if (tag === "f") return data.readFloatBE(at - 4);
    if (tag === "i") return data.readInt32BE(at - 4);
    throw new Error(`an argument of type ${tag}`);
  });
  if (at !== data.length) throw new Error(`${address.value} is ${data.length - at} bytes too long`);
  return { address: address.value, values };
}

function text(data, start) {
  const end = data.indexOf(0, start);
  return { value: data.toString("ascii", start, end), end: end + 4 - (end % 4) };
}
