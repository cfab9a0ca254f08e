import { keepHeapSmall } from './heap.js';
import { main } from './program.js';

keepHeapSmall();
process.exitCode = await main(process.argv);
