// One direction of the link: packets from one TUN device to the other, late or never.
package main

import (
	"os"
	"sync/atomic"
	"time"
)

// Longer than any packet of a device with the usual MTU of 1,500 bytes.
const maxPacketBytes = 2_048

// More packets than any test has on their way: 100 MB/s over 100 ms are 7,000.
const maxPacketsOnTheWay = 65_536

type packet struct {
	bytes []byte
	due   time.Time
}

// How long a packet may wait for its turn on a slow line. A router that keeps more is rare, and would drop it.
const maxQueue = 200 * time.Millisecond

type direction struct {
	// Nanoseconds that each packet is held back.
	delay atomic.Int64
	// Bits per second; 0 is no limit.
	rate atomic.Int64
	// Packets that arrive now vanish; those on their way do not.
	dropping atomic.Bool
}

// carry runs until a device is gone.
func (d *direction) carry(from, to *os.File) {
	onTheWay := make(chan packet, maxPacketsOnTheWay)
	defer close(onTheWay)
	go deliver(onTheWay, to)
	buffer := make([]byte, maxPacketBytes)
	var free time.Time // when the line has sent all packets so far
	for {
		length, err := from.Read(buffer)
		if err != nil {
			return
		}
		if d.dropping.Load() {
			continue
		}
		now := time.Now()
		if free.Before(now) {
			free = now
		}
		if rate := d.rate.Load(); rate > 0 {
			if free.Sub(now) > maxQueue {
				continue
			}
			free = free.Add(time.Duration(int64(length) * 8 * int64(time.Second) / rate))
		}
		due := free.Add(time.Duration(d.delay.Load()))
		select {
		case onTheWay <- packet{append([]byte(nil), buffer[:length]...), due}:
		default: // as any full queue does
		}
	}
}

// deliver keeps the order, also where the delay has become shorter.
func deliver(onTheWay <-chan packet, to *os.File) {
	for next := range onTheWay {
		time.Sleep(time.Until(next.due))
		// An error here is a packet lost.
		_, _ = to.Write(next.bytes)
	}
}
