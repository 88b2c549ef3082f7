package monitor

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// screenshot is a picture of the page.
type screenshot struct {
	name          string
	peers, share  int
	width, height int64
	phone, dark   bool
	then          string // JavaScript that chooses what is shown
}

// TestScreenshots writes pictures of the page into the directory SCREENSHOTS, for people to
// look at: make screenshots. Without a directory it tries a small one.
func TestScreenshots(t *testing.T) {
	pictures := []screenshot{
		{"monitor", 24, 3, 1000, 600, false, false, ""}, // as docs/monitor.png
		{"desktop", 24, 1, 1360, 820, false, false, ""},
		{"desktop-detail", 24, 1, 1360, 820, false, false, `monitor.app.select(monitor.app.state.nodes[9].uuid, true)`},
		{"desktop-dark", 24, 1, 1360, 820, false, true, `document.querySelector("#tab-events").click()`},
		{"many", 200, 1, 1600, 1000, false, false, ""},
		{"many-dark", 200, 1, 1600, 1000, false, true, `monitor.app.select(monitor.app.state.nodes[40].uuid, true)`},
		{"many-group", 200, 0, 1600, 1000, false, false, `monitor.app.chooseGroup(2)`},
		{"phone", 24, 1, 390, 844, true, false, ""},
		{"phone-dark", 24, 1, 390, 844, true, true, `monitor.app.select(monitor.app.state.nodes[9].uuid, true)`},
		{"phone-many-dark", 200, 1, 390, 844, true, true, ""},
		{"phone-many", 200, 1, 390, 844, true, false, `document.querySelector("#tab-messages").click()`},
		{"few", 3, 0, 1360, 820, false, false, `document.querySelector("#tab-drops").click()`},
	}
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		dir, pictures = t.TempDir(), []screenshot{{name: "small", peers: 3, width: 300, height: 200}}
	}
	for _, c := range pictures {
		n := newFakeNetwork(c.peers, c.share)
		for range 5 {
			n.step(time.Second)
		}
		if c.peers > 10 {
			n.disturb()
			n.talk()
		}
		for range 40 {
			n.step(time.Second)
		}
		_, url := servePage(t, n)
		b := newBrowser(t)
		scheme := "light"
		if c.dark {
			scheme = "dark"
		}
		var size []chromedp.EmulateViewportOption
		if c.phone {
			size = append(size, chromedp.EmulateScale(2), chromedp.EmulateMobile)
		}
		b.do(chromedp.EmulateViewport(c.width, c.height, size...))
		b.prefer("prefers-color-scheme", scheme)
		b.open(url)
		if c.then != "" {
			b.do(chromedp.Evaluate[chromedp.Void](c.then))
			b.wait(`!monitor.app.selected || monitor.app.more !== null`)
		}
		b.wait(`!monitor.graph.isDirty`)
		shot := run(b, chromedp.CaptureScreenshot())
		if err := os.WriteFile(filepath.Join(dir, c.name+".png"), shrink(t, shot), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// shrink returns a picture in its 255 most frequent colours, which takes a third of the
// bytes and looks the same.
func shrink(t *testing.T, shot []byte) []byte {
	t.Helper()
	full, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		t.Fatal(err)
	}
	count := map[color.Color]int{}
	box := full.Bounds()
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			r, g, b, _ := full.At(x, y).RGBA()
			step := func(v uint32) uint8 { return uint8((v >> 11) * 255 / 31) }
			count[color.RGBA{step(r), step(g), step(b), 255}]++
		}
	}
	frequent := slices.SortedFunc(maps.Keys(count), func(a, b color.Color) int { return count[b] - count[a] })
	small := image.NewPaletted(box, frequent[:min(len(frequent), 255)])
	draw.Draw(small, box, full, box.Min, draw.Src)
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&b, small); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
