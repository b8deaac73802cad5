// A node of the Go library, driven by lines on standard input and answering in
// JSON lines on standard output: the same protocol as `memberlist agent`, as
// far as the library of the distribution offers it.
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go build -o peer main.go config.go dskit.go
//
// zones.go needs library/selection.go in the library: tests/src/zoned.rs builds them together.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/hashicorp/memberlist"
)

const longestLine = 16 << 20

type object map[string]interface{}

// What another file adds: something to set up, and commands by their names.
var (
	extend   func(*memberlist.Config, *peer) error
	commands = map[string]func(p *peer, rest, id string) error{}
)

// printer writes whole lines: callbacks of the library come from many goroutines.
type printer struct {
	mu  sync.Mutex
	out *bufio.Writer
}

func (p *printer) emit(event string, id string, fields object) {
	fields["event"] = event
	fields["time"] = time.Now().UTC().Format(time.RFC3339Nano)
	if id != "" {
		fields["id"] = id
	}
	line, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out.Write(line)
	p.out.WriteByte('\n')
	p.out.Flush()
}

// peer is the application: every delegate of the library, and what it says.
type peer struct {
	*printer
	list  *memberlist.Memberlist
	ring  *memberlist.Keyring
	queue *memberlist.TransmitLimitedQueue

	// prefix is in front of the application's metadata.
	prefix []byte

	mu    sync.Mutex
	meta  []byte
	state []byte
	ack   []byte
	nodes map[string]*memberlist.Node
	seed  string
}

// record is the library's own nodeState, whose first field is the Node it hands out. This
// release never fills in Node.State, so that only the record tells dead from left, and only
// it knows the incarnation.
type record struct {
	memberlist.Node
	Incarnation uint32
	State       memberlist.NodeStateType
}

// broadcast is a message that supersedes no other.
type broadcast []byte

func (b broadcast) Invalidates(memberlist.Broadcast) bool { return false }
func (b broadcast) Message() []byte                       { return b }
func (b broadcast) Finished()                             {}

func (p *peer) NodeMeta(limit int) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append(append([]byte{}, p.prefix...), p.meta...)
}

func (p *peer) NotifyMsg(message []byte) {
	p.emit("message", "", payload(message))
}

func (p *peer) GetBroadcasts(overhead, limit int) [][]byte {
	return p.queue.GetBroadcasts(overhead, limit)
}

func (p *peer) LocalState(join bool) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

func (p *peer) MergeRemoteState(state []byte, join bool) {
	fields := payload(state)
	fields["join"] = join
	p.emit("remote_state", "", fields)
}

func (p *peer) AckPayload() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ack
}

func (p *peer) NotifyPingComplete(other *memberlist.Node, rtt time.Duration, ack []byte) {
	p.emit("pinged", "", object{
		"node":        recorded(other),
		"rtt_ms":      milliseconds(rtt),
		"payload_hex": hex.EncodeToString(ack),
	})
}

func (p *peer) NotifyJoin(node *memberlist.Node) {
	p.remember(node)
	p.emit("joined", "", object{"node": recorded(node)})
}

func (p *peer) NotifyUpdate(node *memberlist.Node) {
	p.remember(node)
	p.emit("updated", "", object{"node": recorded(node)})
}

func (p *peer) NotifyLeave(node *memberlist.Node) {
	kind := "failed"
	if recordOf(node).State == memberlist.StateLeft {
		kind = "left"
	}
	p.emit("departed", "", object{"node": recorded(node), "reason": object{"kind": kind}})
}

func (p *peer) NotifyConflict(existing, other *memberlist.Node) {
	p.emit("conflict", "", object{"node": recorded(existing), "other": describe(other)})
}

// remember keeps the record of a node: the library's own list hides the dead.
func (p *peer) remember(node *memberlist.Node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nodes[node.Name] = node
}

func recordOf(node *memberlist.Node) *record {
	return (*record)(unsafe.Pointer(node))
}

// recorded describes a node that the library handed out of its own list; one that it made up
// for a callback has no record around it.
func recorded(node *memberlist.Node) object {
	states := map[memberlist.NodeStateType]string{
		memberlist.StateAlive:   "alive",
		memberlist.StateSuspect: "suspect",
		memberlist.StateDead:    "dead",
		memberlist.StateLeft:    "left",
	}
	fields := describe(node)
	fields["state"] = states[recordOf(node).State]
	fields["incarnation"] = recordOf(node).Incarnation
	return fields
}

func describe(node *memberlist.Node) object {
	fields := object{
		"name":     node.Name,
		"addr":     node.Address(),
		"meta":     nil,
		"meta_hex": hex.EncodeToString(node.Meta),
		// As numbers: the encoder makes text of bytes.
		"versions": [6]uint8{node.PMin, node.PMax, node.PCur, node.DMin, node.DMax, node.DCur},
	}
	if utf8.Valid(node.Meta) {
		fields["meta"] = string(node.Meta)
	}
	return fields
}

func payload(bytes []byte) object {
	fields := object{"hex": hex.EncodeToString(bytes)}
	if utf8.Valid(bytes) {
		fields["text"] = string(bytes)
	}
	return fields
}

func milliseconds(d time.Duration) float64 {
	return float64(d) / float64(time.Millisecond)
}

// answer carries out one line; the returned error becomes the reply `error`.
func (p *peer) answer(command, rest, id string) error {
	name := strings.TrimSuffix(command, "-hex")
	isHex := name != command
	switch name {
	case "broadcast", "meta", "state", "ack-payload":
		message, err := bytesOf(rest, isHex)
		if err != nil {
			return err
		}
		return p.say(name, message, id)
	case "send", "send-reliable":
		to, text := split(rest)
		message, err := bytesOf(text, isHex)
		if err != nil {
			return err
		}
		return p.send(name, to, message, id)
	case "members", "nodes":
		p.listMembers(name, id)
	case "health":
		p.emit("health", id, object{"score": p.list.GetHealthScore()})
	case "join":
		p.join(rest, id)
	case "ping":
		return p.ping(rest, id)
	case "keys":
		return p.keys(rest, id)
	case "leave":
		return p.leave(rest, id)
	default:
		if more := commands[name]; more != nil {
			return more(p, rest, id)
		}
		return fmt.Errorf("unknown command")
	}
	return nil
}

func (p *peer) join(through, id string) {
	joined, err := p.list.Join([]string{through})
	failed := []object{}
	if err != nil {
		failed = append(failed, object{"peer": through, "error": err.Error()})
	}
	p.emit("join", id, object{"joined": joined, "failed": failed})
}

func (p *peer) say(what string, message []byte, id string) error {
	switch what {
	case "broadcast":
		p.queue.QueueBroadcast(broadcast(message))
		p.emit("broadcast", id, object{})
	case "meta":
		if len(p.prefix)+len(message) > memberlist.MetaMaxSize {
			return fmt.Errorf("metadata is longer than %d bytes", memberlist.MetaMaxSize)
		}
		p.set(&p.meta, message)
		if err := p.list.UpdateNode(10 * time.Second); err != nil {
			return err
		}
		p.emit("meta", id, object{})
	case "state":
		p.set(&p.state, message)
		p.emit("state", id, object{})
	case "ack-payload":
		p.set(&p.ack, message)
		p.emit("ack_payload", id, object{})
	}
	return nil
}

func (p *peer) set(field *[]byte, value []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*field = value
}

func (p *peer) send(how, to string, message []byte, id string) error {
	node, err := p.find(to)
	if err != nil {
		return err
	}
	if how == "send" {
		err = p.list.SendBestEffort(node, message)
	} else {
		err = p.list.SendReliable(node, message)
	}
	if err != nil {
		return err
	}
	p.emit("sent", id, object{"bytes": len(message)})
	return nil
}

func (p *peer) find(name string) (*memberlist.Node, error) {
	for _, node := range p.list.Members() {
		if node.Name == name {
			return node, nil
		}
	}
	return nil, fmt.Errorf("no member is called %q", name)
}

func (p *peer) listMembers(which, id string) {
	nodes := []object{}
	if which == "members" {
		for _, node := range p.list.Members() {
			nodes = append(nodes, recorded(node))
		}
	} else {
		p.mu.Lock()
		for _, node := range p.nodes {
			nodes = append(nodes, recorded(node))
		}
		p.mu.Unlock()
	}
	p.emit(which, id, object{"nodes": nodes})
}

func (p *peer) ping(name, id string) error {
	node, err := p.find(name)
	if err != nil {
		return err
	}
	rtt, err := p.list.Ping(name, &net.UDPAddr{IP: node.Addr, Port: int(node.Port)})
	if err != nil {
		return err
	}
	p.emit("pinged", id, object{"node": recorded(node), "rtt_ms": milliseconds(rtt)})
	return nil
}

func (p *peer) keys(rest, id string) error {
	if p.ring == nil {
		return fmt.Errorf("this node was started without a key")
	}
	verb, text := split(rest)
	change := map[string]func([]byte) error{
		"add": p.ring.AddKey, "use": p.ring.UseKey, "remove": p.ring.RemoveKey,
	}[verb]
	if change != nil {
		key, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return err
		}
		if err := change(key); err != nil {
			return err
		}
	} else if verb != "list" {
		return fmt.Errorf("unknown verb %q", verb)
	}
	keys := []string{}
	for _, key := range p.ring.GetKeys() {
		keys = append(keys, base64.StdEncoding.EncodeToString(key))
	}
	p.emit("keys", id, object{"keys": keys})
	return nil
}

func (p *peer) leave(rest, id string) error {
	seconds := 5
	if rest != "" {
		var err error
		if seconds, err = strconv.Atoi(rest); err != nil {
			return err
		}
	}
	if err := p.list.Leave(time.Duration(seconds) * time.Second); err != nil {
		return err
	}
	p.emit("left", id, object{})
	return nil
}

// serve reads commands until `quit` or the end of input: a test that died leaves no peer behind.
func (p *peer) serve() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 0, 64<<10), longestLine)
	for lines.Scan() {
		line, id := lines.Text(), ""
		if strings.HasPrefix(line, "#") {
			id, line = split(line[1:])
		}
		command, rest := split(line)
		if command == "quit" {
			return
		}
		if err := p.answer(command, rest, id); err != nil {
			p.emit("error", id, object{"command": command, "message": err.Error()})
		}
	}
}

func split(line string) (string, string) {
	if at := strings.IndexByte(line, ' '); at >= 0 {
		return line[:at], line[at+1:]
	}
	return line, ""
}

func bytesOf(text string, isHex bool) ([]byte, error) {
	if isHex {
		return hex.DecodeString(text)
	}
	return []byte(text), nil
}

func main() {
	config, p, err := configure()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	// The queue is asked before Create returns, while nobody else is known.
	var known sync.Mutex
	p.queue.NumNodes = func() int {
		known.Lock()
		defer known.Unlock()
		if p.list == nil {
			return 1
		}
		return p.list.NumMembers()
	}
	list, err := memberlist.Create(config)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	known.Lock()
	p.list = list
	known.Unlock()
	p.emit("started", "", object{"node": recorded(list.LocalNode())})
	if p.seed != "" {
		p.join(p.seed, "")
	}
	p.serve()
}
