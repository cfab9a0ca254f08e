/** In place of whatwg-url: node-fetch takes URL of it only where node has none. */
export default {};
