package main

import (
	"bytes"
	"crypto/md5"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/ioutil"
	"net"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	packetKind = 1
	streamKind = 2
	// As many packets are written at a time, and one more waits this long.
	writers    = 3
	writerWait = 250 * time.Millisecond
	dialTime   = 2 * time.Second
	writeTime  = 5 * time.Second
	readTime   = 10 * time.Second
)

// certificates are the files of TLS; without them connections are plain.
type certificates struct {
	cert, key, ca, serverName string
}

// dskitTransport carries each packet over a connection of its own, as Grafana's dskit does.
type dskitTransport struct {
	listener       net.Listener
	server, client *tls.Config
	packets        chan *memberlist.Packet
	streams        chan net.Conn
	writing        chan struct{}
	// header is the label's, in front of each packet and of what the opener of a stream says. This
	// release of the library knows no labels; newer ones wrap the transport in the same way.
	header []byte
}

const labelKind = 244

func newDskitTransport(bind, label string, files certificates) (*dskitTransport, error) {
	t := &dskitTransport{
		packets: make(chan *memberlist.Packet),
		streams: make(chan net.Conn),
		writing: make(chan struct{}, writers),
	}
	if label != "" {
		t.header = append([]byte{labelKind, byte(len(label))}, label...)
	}
	var err error
	if t.listener, err = net.Listen("tcp", bind); err != nil {
		return nil, err
	}
	if files.cert != "" {
		if err := t.secure(files); err != nil {
			return nil, err
		}
	}
	go t.accept()
	return t, nil
}

// secure sets up TLS. The listener asks for no certificate of its clients, as dskit's never does.
func (t *dskitTransport) secure(files certificates) error {
	own, err := tls.LoadX509KeyPair(files.cert, files.key)
	if err != nil {
		return err
	}
	authority, err := ioutil.ReadFile(files.ca)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return fmt.Errorf("%s has no certificate", files.ca)
	}
	t.server = &tls.Config{Certificates: []tls.Certificate{own}}
	t.client = &tls.Config{
		Certificates: []tls.Certificate{own}, RootCAs: roots, ServerName: files.serverName,
	}
	t.listener = tls.NewListener(t.listener, t.server)
	return nil
}

func (t *dskitTransport) accept() {
	for {
		conn, err := t.listener.Accept()
		if err != nil {
			return
		}
		go t.read(conn)
	}
}

func (t *dskitTransport) read(conn net.Conn) {
	conn.SetReadDeadline(time.Now().Add(readTime))
	kind := make([]byte, 1)
	if _, err := conn.Read(kind); err != nil {
		conn.Close()
		return
	}
	if kind[0] == streamKind {
		header := make([]byte, len(t.header))
		if _, err := io.ReadFull(conn, header); err != nil || !bytes.Equal(header, t.header) {
			conn.Close()
			return
		}
		conn.SetReadDeadline(time.Time{})
		t.streams <- conn
		return
	}
	defer conn.Close()
	if kind[0] != packetKind {
		return
	}
	body, err := ioutil.ReadAll(conn)
	if err != nil || len(body) < 1 || len(body) < 1+int(body[0])+md5.Size {
		return
	}
	from, rest := string(body[1:1+body[0]]), body[1+body[0]:]
	packet, digest := rest[:len(rest)-md5.Size], rest[len(rest)-md5.Size:]
	sender, err := net.ResolveTCPAddr("tcp", from)
	if sum := md5.Sum(packet); err != nil || !bytes.Equal(sum[:], digest) {
		return
	}
	if !bytes.HasPrefix(packet, t.header) {
		return
	}
	packet = packet[len(t.header):]
	t.packets <- &memberlist.Packet{Buf: packet, From: sender, Timestamp: time.Now()}
}

func (t *dskitTransport) dial(addr string, timeout time.Duration) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: timeout}
	if t.client == nil {
		return dialer.Dial("tcp", addr)
	}
	return tls.DialWithDialer(dialer, "tcp", addr, t.client)
}

func (t *dskitTransport) write(packet []byte, addr string) {
	defer func() { <-t.writing }()
	conn, err := t.dial(addr, dialTime)
	if err != nil {
		return
	}
	own := t.listener.Addr().String()
	frame := append([]byte{packetKind, byte(len(own))}, own...)
	digest := md5.Sum(packet)
	frame = append(append(frame, packet...), digest[:]...)
	conn.SetDeadline(time.Now().Add(writeTime))
	conn.Write(frame)
	conn.Close()
}

func (t *dskitTransport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	addr, ok := t.listener.Addr().(*net.TCPAddr)
	if !ok {
		return nil, 0, errors.New("the listener has no address")
	}
	return addr.IP, addr.Port, nil
}

// WriteTo never fails, as in dskit: the probe notices what is lost.
func (t *dskitTransport) WriteTo(packet []byte, addr string) (time.Time, error) {
	select {
	case t.writing <- struct{}{}:
		go t.write(append(append([]byte{}, t.header...), packet...), addr)
	case <-time.After(writerWait):
	}
	return time.Now(), nil
}

func (t *dskitTransport) PacketCh() <-chan *memberlist.Packet { return t.packets }

func (t *dskitTransport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	conn, err := t.dial(addr, timeout)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(append([]byte{streamKind}, t.header...)); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func (t *dskitTransport) StreamCh() <-chan net.Conn { return t.streams }

func (t *dskitTransport) Shutdown() error { return t.listener.Close() }
