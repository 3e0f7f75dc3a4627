package tinygguf

import (
	"bytes"
	"encoding/binary"
	"math"
)

// Types of metadata values, as GGUF numbers them.
const (
	kindU32    = 4
	kindI32    = 5
	kindF32    = 6
	kindBool   = 7
	kindString = 8
	kindArray  = 9
)

// align is the alignment of tensor data, GGUF's default.
const align = 32

func roundUp[T int | uint64](n T) T { return (n + align - 1) / align * align }

// encoder writes GGUF's little-endian values and counts the keys.
type encoder struct {
	bytes.Buffer
	keys uint64
}

// put writes a fixed-size value; writing to a bytes.Buffer never fails, and an
// unfit value is a mistake in this package.
func (e *encoder) put(v any) {
	if err := binary.Write(&e.Buffer, binary.LittleEndian, v); err != nil {
		panic(err)
	}
}

func (e *encoder) text(s string) {
	e.put(uint64(len(s)))
	e.WriteString(s)
}

func (e *encoder) key(name string, kind uint32) {
	e.keys++
	e.text(name)
	e.put(kind)
}

func (e *encoder) u32(name string, v int)     { e.key(name, kindU32); e.put(uint32(v)) }
func (e *encoder) f32(name string, v float32) { e.key(name, kindF32); e.put(v) }
func (e *encoder) flag(name string, v bool)   { e.key(name, kindBool); e.put(v) }
func (e *encoder) str(name, v string)         { e.key(name, kindString); e.text(v) }

func (e *encoder) array(name string, kind uint32, n int) {
	e.key(name, kindArray)
	e.put(kind)
	e.put(uint64(n))
}

func (e *encoder) strs(name string, vs []string) {
	e.array(name, kindString, len(vs))
	for _, v := range vs {
		e.text(v)
	}
}

func (e *encoder) i32s(name string, vs []int32) {
	e.array(name, kindI32, len(vs))
	e.put(vs)
}

// half converts to IEEE 754 binary16. Neither NaN nor infinity comes in, and
// what is too large becomes the largest finite number.
func half(f float32) uint16 {
	bits := math.Float32bits(f)
	sign := uint16(bits>>16) & 0x8000
	exp := int32(bits>>23&0xff) - 127 + 15
	frac := bits & 0x7fffff
	switch {
	case exp < -10:
		return sign
	case exp <= 0: // subnormal
		shift := uint32(14 - exp)
		return sign | uint16((frac|0x800000+1<<(shift-1))>>shift)
	case exp >= 31:
		return sign | 0x7bff
	}
	return sign | uint16((uint32(exp)<<10|frac>>13)+(frac>>12&1))
}
