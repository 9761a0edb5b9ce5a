// Command embed labels the lines of its standard input as ham or spam. The model is inside the program: generated code, and weights by go:embed.
//
//	go generate && go build && echo "you have won a prize" | ./embed
package main

import (
	"bufio"
	"context"
	_ "embed" // of the weights
	"fmt"
	"io"
	"log"
	"os"

	"github.com/debertac/debertac/examples/embed/spam"
)

//go:generate go tool debertac compile ../../examples/spam/spam.dspec -o spam
//go:generate go tool debertac pack ../../examples/spam/model --spec ../../examples/spam/spam.dspec -o spam.weights

//go:embed spam.weights
var weights []byte

func main() {
	if err := label(context.Background(), os.Stdin, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// label reads texts, one per line, and writes label, score and text. A text that is too long for the model is cut at its end, and the output reports how many
// tokens were cut.
func label(ctx context.Context, in io.Reader, out io.Writer) error {
	model, err := spam.OpenBytes(weights, spam.Long(spam.Truncate))
	if err != nil {
		return err
	}
	defer model.Close()
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		results, err := model.Classify(ctx, []string{lines.Text()})
		if err != nil {
			return err
		}
		r := results[0]
		fmt.Fprintf(out, "%s\t%.4f\t%s", r.Label, r.Score, lines.Text())
		if r.Truncated > 0 {
			fmt.Fprintf(out, "\t(%d tokens at the end not read)", r.Truncated)
		}
		fmt.Fprintln(out)
	}
	return lines.Err()
}
