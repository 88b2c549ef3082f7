// Package monitor shows a network of ZRE nodes as one of them sees it, while it changes.
//
// A [Model] is what is known of the network. It does no input or output, and is told all by
// method calls, with the time as an argument. [Watch] feeds it from a node. A [Stream] holds
// it for any number of viewers, who follow it each at a pace of its own: the terminal, the
// page, and lines of JSON. Whatever a peer can make longer is bounded.
package monitor
