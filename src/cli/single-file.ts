import { keepHeapSmall } from './heap.js';
import { main } from './program.js';

// Where the single-file executable (npm run sea) begins. Node takes CommonJS there only, so nothing can be awaited.
keepHeapSmall();
void main(process.argv).then((exitCode) => {
  process.exitCode = exitCode;
});
