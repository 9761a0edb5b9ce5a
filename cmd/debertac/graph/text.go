package graph

import (
	"fmt"
	"html"
	"strconv"
	"strings"
)

// HTML returns a page with the pictures as SVG, and tables of the arena's slots with their values.
func HTML(pictures []*Picture) []byte {
	var b strings.Builder
	b.WriteString("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
	fmt.Fprintf(&b, "<title>%s</title>\n", html.EscapeString(title(pictures)))
	b.WriteString("<style>body{margin:0;font-family:system-ui,sans-serif;color:#1b1f24}main{padding:0 24px " +
		"24px}table{border-collapse:collapse;margin:8px 0 24px}" +
		"td,th{border:1px solid #d0d7de;padding:4px " +
		"8px;text-align:left;vertical-align:top;font-size:13px}code{font-size:12px}.picture{overflow:auto}</style>\n</head>\n<body>\n<div " +
		"class=\"picture\">\n")
	b.Write(SVG(pictures))
	b.WriteString("</div>\n<main>\n<p>Point at a box to see all of it: attributes, operands, the place in the spec.</p>\n")
	for _, p := range pictures {
		if len(p.Slots) == 0 {
			continue
		}
		fmt.Fprintf(&b, "<h2>Arena of %s</h2>\n<table>\n<tr><th>slot</th><th>size</th><th>values</th></tr>\n", html.EscapeString(p.Title))
		for _, s := range p.Slots {
			fmt.Fprintf(&b, "<tr><td>%d</td><td>%s</td><td><code>%s</code></td></tr>\n", s.Number, html.EscapeString(s.Size),
				html.EscapeString(strings.Join(s.Values, ", ")))
		}
		b.WriteString("</table>\n")
	}
	b.WriteString("</main>\n</body>\n</html>\n")
	return []byte(b.String())
}

func title(pictures []*Picture) string {
	var list []string
	for _, p := range pictures {
		list = append(list, p.Title)
	}
	return strings.Join(list, "; ")
}

// DOT returns the pictures in the language of Graphviz, with one cluster per call.
func DOT(pictures []*Picture) []byte {
	var b strings.Builder
	b.WriteString("digraph {\n\trankdir = TB\n\tnode [shape = box, fontname = \"monospace\", fontsize = 10]\n")
	cluster, number := 0, 0
	names := map[*Box]string{}
	for _, p := range pictures {
		for _, panel := range p.Panels {
			fmt.Fprintf(&b, "\tsubgraph cluster_%d {\n\t\tlabel = %s\n\t\ttooltip = %s\n", cluster, strconv.Quote(panel.head()), strconv.Quote(panel.About))
			cluster++
			for _, x := range panel.Boxes {
				names[x] = fmt.Sprintf("n%d", number)
				number++
				lines := []string{x.Op}
				if len(x.Parts) > 0 {
					lines = append(lines, strings.Join(x.Parts, " | "))
				}
				for _, l := range x.Lines {
					lines = append(lines, l.Text)
				}
				style := ""
				if x.End {
					style = ", style = rounded"
				}
				fmt.Fprintf(&b, "\t\t%s [label = %s, tooltip = %s, color = %s%s]\n", names[x], strconv.Quote(strings.Join(lines, "\n")),
					strconv.Quote(x.Tip), strconv.Quote(colour(x.Slot)), style)
			}
			for _, x := range panel.Boxes {
				for _, e := range x.To {
					fmt.Fprintf(&b, "\t\t%s -> %s\n", names[x], names[e.To])
				}
			}
			b.WriteString("\t}\n")
		}
		for _, l := range p.Links {
			fmt.Fprintf(&b, "\t%s -> %s\n", names[l.From], names[l.To])
		}
	}
	b.WriteString("}\n")
	return []byte(b.String())
}
