// Where the targets of gossip and of full state exchanges come from.
//
// The library of the distribution draws them among all members and has no say for the application.
// This file is compiled into its package, and replaces those draws: see tests/src/zoned.rs. Nothing
// else of the library changes.
package memberlist

// Candidate is a node that is known, this one included.
type Candidate struct {
	Name  string
	Meta  []byte
	State NodeStateType
}

// Selection returns which of the nodes may be drawn, and which one comes first if the library's own
// filter lets it: -1 is none. To be set before Create.
var Selection func(nodes []Candidate) (selected []int, preferred int)

// PushPullNodes is the number of nodes with which full states are exchanged at each tick.
var PushPullNodes = 1

func selectNodes(k int, nodes []*nodeState, filter func(*nodeState) bool) []*nodeState {
	if Selection == nil {
		return kRandomNodes(k, nodes, filter)
	}
	known := make([]Candidate, len(nodes))
	for at, node := range nodes {
		known[at] = Candidate{Name: node.Name, Meta: node.Meta, State: node.State}
	}
	selected, preferred := Selection(known)
	drawn := make([]*nodeState, 0, k)
	if preferred >= 0 && k > 0 && !filter(nodes[preferred]) {
		drawn = append(drawn, nodes[preferred])
	}
	pool := make([]*nodeState, 0, len(selected))
	for _, at := range selected {
		if len(drawn) == 0 || nodes[at] != drawn[0] {
			pool = append(pool, nodes[at])
		}
	}
	return append(drawn, kRandomNodes(k-len(drawn), pool, filter)...)
}

// pushPullMore exchanges full states with the nodes after the first, which the library does itself.
func (m *Memberlist) pushPullMore(nodes []*nodeState) {
	for _, node := range nodes {
		if err := m.pushPullNode(node.FullAddress(), false); err != nil {
			m.logger.Printf("[ERR] memberlist: Push/Pull with %s failed: %s", node.Name, err)
		}
	}
}
