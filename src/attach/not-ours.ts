/** What came is none of what a server of ours sends. The message goes on where the name of the place ends: "sent ...". */
export class NotOurs extends Error {
  override readonly name = 'NotOurs';
}
