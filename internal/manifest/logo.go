package manifest

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
)

// The size of an integration's logo, in pixels. https://xsoar.pan.dev/docs/integrations/integration-logo asks for it,
// and for at most 10 kB.
const (
	logoWidth  = 120
	logoHeight = 50
)

// The shape of the logo, in pixels: a shield in the middle, straight at its sides and pointed below.
const (
	shieldTop    = 4.0
	shieldBottom = 46.0
	shieldHalf   = 17.0 // of its width
	shieldWaist  = 20.0 // where the sides begin to bend
	strokeHalf   = 2.6  // of the check mark's width
	perSide      = 6    // points that are looked at along each side of a pixel, for smooth edges
)

// logo draws the integration's logo: a shield with a check mark. It is not compressed, so that its bytes do not hang
// on the version of Go; everything that it is shipped in is.
func logo() ([]byte, error) {
	light, dark, mark := color.NRGBA{0x14, 0xa3, 0x8b, 0xff}, color.NRGBA{0x0e, 0x7c, 0x7b, 0xff}, color.NRGBA{0xff, 0xff, 0xff, 0xff}
	drawn := image.NewPaletted(image.Rect(0, 0, logoWidth, logoHeight), color.Palette{color.NRGBA{}})
	for y := range logoHeight {
		for x := range logoWidth {
			var points [3]int // in the light half, in the dark half, in the mark
			for i := range perSide * perSide {
				px := float64(x) + (float64(i%perSide)+0.5)/perSide - logoWidth/2
				py := float64(y) + (float64(i/perSide)+0.5)/perSide
				switch {
				case !inShield(px, py):
				case inMark(px, py):
					points[2]++
				case px < 0:
					points[0]++
				default:
					points[1]++
				}
			}
			drawn.SetColorIndex(x, y, indexOf(drawn, blend(points, light, dark, mark)))
		}
	}
	var encoded bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.NoCompression}).Encode(&encoded, drawn); err != nil {
		return nil, fmt.Errorf("drawing the logo: %w", err)
	}
	return encoded.Bytes(), nil
}

// inShield says whether a point, x from the middle, lies in the shield.
func inShield(x, y float64) bool {
	half := shieldHalf
	if y > shieldWaist {
		half *= math.Sqrt(1 - (y-shieldWaist)/(shieldBottom-shieldWaist))
	}
	// The upper edge sinks towards its middle.
	top := shieldTop + 3*(1-math.Abs(x)/shieldHalf)*math.Abs(x)/shieldHalf*2
	return y > top && y < shieldBottom && math.Abs(x) < half
}

// inMark says whether a point lies in the check mark, two strokes that meet.
func inMark(x, y float64) bool {
	return distance(x, y, -8, 23, -2, 29.5) < strokeHalf || distance(x, y, -2, 29.5, 9, 16) < strokeHalf
}

// distance is that of a point from the line between two others.
func distance(x, y, fromX, fromY, toX, toY float64) float64 {
	dx, dy := toX-fromX, toY-fromY
	along := max(0, min(1, ((x-fromX)*dx+(y-fromY)*dy)/(dx*dx+dy*dy)))
	return math.Hypot(x-fromX-along*dx, y-fromY-along*dy)
}

// blend mixes colours by how many of a pixel's points have each; the rest of the pixel is transparent.
func blend(points [3]int, colours ...color.NRGBA) color.NRGBA {
	total := points[0] + points[1] + points[2]
	if total == 0 {
		return color.NRGBA{}
	}
	var red, green, blue int
	for i, one := range colours {
		red += points[i] * int(one.R)
		green += points[i] * int(one.G)
		blue += points[i] * int(one.B)
	}
	return color.NRGBA{
		R: uint8(red / total), G: uint8(green / total), B: uint8(blue / total), A: uint8(math.MaxUint8 * total / (perSide * perSide)),
	}
}

// indexOf finds a colour in the palette of an image, and adds it as long as there is room; then the nearest does.
func indexOf(of *image.Paletted, wanted color.NRGBA) uint8 {
	for i, one := range of.Palette {
		if one == wanted {
			return uint8(i)
		}
	}
	if len(of.Palette) <= math.MaxUint8 {
		of.Palette = append(of.Palette, wanted)
		return uint8(len(of.Palette) - 1)
	}
	return uint8(of.Palette.Index(wanted))
}
