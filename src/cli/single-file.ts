import { keepHeapSmall } from './heap.js';
import { main } from './program.js';
import { outliveStderr } from './stderr.js';

// Where the single-file executable (npm run sea) begins. Node takes CommonJS there only, so nothing can be awaited.
outliveStderr();
void main(process.argv).then((exitCode) => {
  process.exitCode = exitCode;
});
keepHeapSmall();
