package tasktable

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// heads calls f with heads of every meaning, choice of rows, loss, and several numbers of columns, for a vocabulary of 7.
func heads(f func(h Head)) {
	meanings := append(Words(), AsNumbers, AsEntities, AsOwnLabels, AsSchema)
	for _, as := range meanings {
		for take := range takes {
			for _, loss := range append([]string{""}, Losses...) {
				for _, columns := range []int{0, 1, 2, 3, 7} {
					for _, tied := range []bool{false, true} {
						if !tied || columns == 7 { // a tied layer has one column per entry
							f(Head{As: as, Take: Take(take), Columns: columns, Vocab: 7, Loss: loss, Tied: tied})
						}
					}
				}
			}
		}
	}
}

// TestHeadsHaveRows checks that a head whose rows, loss and columns fit each other has a task that reads these rows and has these columns. Otherwise the
// compiler would make a package that the runtime refuses.
func TestHeadsHaveRows(t *testing.T) {
	seen := map[Task]int{}
	heads(func(h Head) {
		if h.Misfit() != nil || h.As != AsNumbers && h.Columns != 0 && !Meant(h.As).has(h) { // such columns are an error of their own
			return
		}
		r := Of(h.Task())
		require.NotNil(t, r, "%+v", h)
		require.Contains(t, r.Take, h.Take, "%+v is %s", h, r.Task)
		require.Equal(t, r.As, h.As, "%+v is %s", h, r.Task)
		require.True(t, r.has(h), "%+v is %s", h, r.Task)
		require.True(t, r.judges(h.Loss), "%+v is %s", h, r.Task)
		seen[r.Task]++
	})
	for _, r := range Table {
		require.Positive(t, seen[r.Task], "no head is of the task %s", r.Task)
	}
}

// TestMisfitsSaySomething checks that every refusal has a message and a hint.
func TestMisfitsSaySomething(t *testing.T) {
	seen := 0
	heads(func(h Head) {
		if m := h.Misfit(); m != nil {
			require.NotEmpty(t, m.Message, "%+v", h)
			require.NotEmpty(t, m.Hint, "%+v", h)
			require.NotContains(t, m.Message, "LOSS")
			seen++
		}
	})
	require.Greater(t, seen, 100)
}

// TestLossesHaveHeads checks that heads of some task take each loss, and that the message about a loss of a few kinds of heads names all of them.
func TestLossesHaveHeads(t *testing.T) {
	require.Equal(t, []string{BinaryCrossEntropy, Focal}, slices.DeleteFunc(slices.Clone(Losses), func(l string) bool { return !Sigmoid(l) }))
	for _, loss := range Losses {
		var kinds []string
		for _, r := range Table {
			if slices.Contains(r.Losses, loss) {
				kinds = append(kinds, r.Kind)
			}
		}
		require.NotEmpty(t, kinds, loss)
		if purposes[loss] == "" {
			continue
		}
		m := Head{As: AsSpan, Take: TakeEach, Columns: 2, Loss: loss}.Misfit()
		require.NotNil(t, m, loss)
		for _, k := range kinds {
			require.Contains(t, m.Message, k)
		}
		require.Contains(t, m.Hint, "loss "+loss)
	}
}

// TestVocabularyOfOtherRows checks that a layer that shares the token table makes a head predict tokens only if there is one row per token.
func TestVocabularyOfOtherRows(t *testing.T) {
	for take, want := range map[Take]Task{TakeMasked: MLM, TakeEach: MLM, TakeFirst: Vector, TakeMean: Vector, TakeWords: Hidden} {
		require.Equal(t, want, Head{Take: take, Columns: 7, Vocab: 7, Tied: true}.Task(), "take %v", take)
	}
	require.Equal(t, Hidden, Head{Take: TakeEach, Columns: 7, Vocab: 7}.Task())
	require.Equal(t, Hidden, Head{Take: TakeWords, Columns: 1, Vocab: 7, Loss: BinaryCrossEntropy}.Task(), "words are not tokens that were replaced")
}

// TestRows checks that every row has the fields that it needs.
func TestRows(t *testing.T) {
	var tasks []Task
	for i := range Table {
		r := &Table[i]
		require.False(t, slices.Contains(tasks, r.Task), "%s has two rows", r.Task)
		tasks = append(tasks, r.Task)
		require.Same(t, r, Of(r.Task))
		for name, value := range map[string]string{"Kind": r.Kind, "Numbers": r.Numbers, "Page": r.Page, "Sample": r.Sample} {
			require.NotEmpty(t, value, "%s: %s", r.Task, name)
		}
		require.NotEmpty(t, r.Take)
		require.NotEmpty(t, r.Services)
		for _, s := range r.Services {
			service, of := Serving(s.Name)
			require.Equal(t, s.Use, service.Use)
			require.Contains(t, of, r.Task)
			require.True(t, r.ServedBy(s.Name))
			require.NotEmpty(t, s.Verbs)
		}
		for _, name := range r.Also {
			service, _ := Serving(name)
			require.NotNil(t, service, "%s: no row has the service %s", r.Task, name)
		}
		for _, c := range r.Claims {
			require.Contains(t, r.Take, c)
		}
	}
	require.Nil(t, Of("nothing"))
	service, of := Serving("Nothing")
	require.Nil(t, service)
	require.Empty(t, of)
	for _, w := range Wishes {
		require.NotNil(t, Of(w.Task), "%s", w.Word)
	}
}

// TestFlags checks that the flags and the rows that name them agree.
func TestFlags(t *testing.T) {
	for i := range Flags {
		f := &Flags[i]
		require.Same(t, f, FlagNamed(f.Name), "--%s stands twice", f.Name)
		require.NotEmpty(t, Taking(f.Name), "no task has --%s", f.Name)
		require.NotEmpty(t, f.Help)
		require.Equal(t, f.Kind == Switch, f.Placeholder == "", "--%s", f.Name)
		for _, other := range append(f.Contradicts, f.Needs) {
			require.True(t, other == "" || FlagNamed(other) != nil, "--%s: there is no --%s", f.Name, other)
		}
	}
	require.Nil(t, FlagNamed("nothing"))
	require.Nil(t, Taking("json"))
}
