import { keepHeapSmall } from './heap.js';
import { main } from './program.js';
import { outliveStderr } from './stderr.js';

keepHeapSmall();
outliveStderr();
process.exitCode = await main(process.argv);
