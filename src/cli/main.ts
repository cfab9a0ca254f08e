import { keepHeapSmall } from './heap.js';
import { main } from './program.js';
import { outliveStderr } from './stderr.js';

outliveStderr();
const exitCode = main(process.argv);
keepHeapSmall();
process.exitCode = await exitCode;
