/**
 * One end of a conversation by UDP, in the network namespace that it is started in. Prints the number of each datagram:
 *
 *     conversation.mjs send ADDRESS PORT      one in 50 ms, numbered from 1
 *     conversation.mjs take PORT
 */
import { createSocket } from 'node:dgram';

const [mode, ...words] = process.argv.slice(2);
const socket = createSocket('udp4');
const tell = (number) => process.stdout.write(`${number}\n`);

if (mode === 'take') {
  socket.on('message', (message) => tell(message.toString()));
  socket.bind(Number(words[0]));
} else {
  const [address, port] = words;
  let number = 0;
  setInterval(() => {
    number++;
    socket.send(String(number), Number(port), address, (error) => {
      if (!error) tell(number);
    });
  }, 50);
}
