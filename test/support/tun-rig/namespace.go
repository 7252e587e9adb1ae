// The two ends of the link: network namespaces, each with a TUN device that is its only way out.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

const (
	// From linux/if_tun.h.
	setInterface = 0x400454ca // TUNSETIFF
	tunWithoutPI = 0x1001     // IFF_TUN | IFF_NO_PI
	// Where `ip netns add` puts them.
	namespaceFolder = "/run/netns"
	namePrefix      = "tun-rig-"
)

func namespaceOf(pid int, end string) string {
	return fmt.Sprintf("%s%d-%s", namePrefix, pid, end)
}

// openEnd makes a namespace with one device that leads to `peer`. Reading the file gives what is sent there.
func openEnd(namespace, address, peer string) (*os.File, error) {
	if err := ip("netns", "add", namespace); err != nil {
		return nil, err
	}
	device, file, err := openDevice()
	if err != nil {
		return nil, err
	}
	steps := [][]string{
		{"link", "set", "dev", device, "netns", namespace},
		{"-n", namespace, "link", "set", "dev", "lo", "up"},
		{"-n", namespace, "address", "add", address, "peer", peer, "dev", device},
		// As many packets as the link holds: one that is lost here would be a fault nobody asked for.
		{"-n", namespace, "link", "set", "dev", device, "txqueuelen", strconv.Itoa(maxPacketsOnTheWay), "up"},
	}
	for _, step := range steps {
		if err := ip(step...); err != nil {
			return nil, err
		}
	}
	return file, nil
}

// openDevice makes a TUN device in our own namespace; it lives as long as the file is open, wherever it is moved.
func openDevice() (string, *os.File, error) {
	handle, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return "", nil, fmt.Errorf("cannot open /dev/net/tun: %w", err)
	}
	var request struct {
		name  [16]byte
		flags uint16
		_     [22]byte
	}
	copy(request.name[:], "rig%d")
	request.flags = tunWithoutPI
	_, _, failure := syscall.Syscall(syscall.SYS_IOCTL, uintptr(handle), setInterface, uintptr(unsafe.Pointer(&request)))
	if failure != 0 {
		return "", nil, fmt.Errorf("cannot make a TUN device: %w", failure)
	}
	// Only now: a device that is not set up cannot be waited for.
	if err := syscall.SetNonblock(handle, true); err != nil {
		return "", nil, err
	}
	name := strings.TrimRight(string(request.name[:]), "\x00")
	return name, os.NewFile(uintptr(handle), name), nil
}

// remove ends every process inside and the namespaces with them; what is not there is no failure.
func remove(namespaces ...string) {
	for _, namespace := range namespaces {
		inside, _ := exec.Command("ip", "netns", "pids", namespace).Output()
		for _, word := range strings.Fields(string(inside)) {
			if pid, err := strconv.Atoi(word); err == nil && pid != os.Getpid() {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		_ = ip("netns", "delete", namespace)
	}
}

// sweep removes what a process left behind that was killed before it could do so itself.
func sweep() {
	found, _ := filepath.Glob(filepath.Join(namespaceFolder, namePrefix+"*"))
	for _, path := range found {
		name := filepath.Base(path)
		pid, _, _ := strings.Cut(strings.TrimPrefix(name, namePrefix), "-")
		if _, err := os.Stat(filepath.Join("/proc", pid)); os.IsNotExist(err) {
			remove(name)
		}
	}
}

func ip(arguments ...string) error {
	said, err := exec.Command("ip", arguments...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("`ip %s`: %w: %s", strings.Join(arguments, " "), err, strings.TrimSpace(string(said)))
	}
	return nil
}
