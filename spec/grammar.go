package spec

import "github.com/alecthomas/participle/v2/lexer"

// The forms are what may follow a word. Each is a participle grammar. The schema decides which word takes which form.

type path struct {
	Tokens []lexer.Token
	Parts  []string `parser:"@Ident ( '.' @Ident )*"`
}

type versionForm struct {
	Version string `parser:"@Number"`
}

type modelForm struct {
	Name string     `parser:"@Ident"`
	Like *reference `parser:"( 'like' @@ )?"`
}

type reference struct {
	Tokens []lexer.Token
	Name   string `parser:"@Ident"`
}

type onForm struct {
	Name string `parser:"@Ident"`
	On   *path  `parser:"'on' @@"`
}

type nameForm struct {
	Name string `parser:"@Ident"`
}

type dimForm struct {
	Name  string `parser:"@Ident"`
	Op    string `parser:"@( '=' | '<=' )"`
	Value *expr  `parser:"@@"`
}

type assignForm struct {
	Names []*reference `parser:"@@ ( ',' @@ )* '='"`
	Func  *reference   `parser:"@@ '('"`
	Arg   *reference   `parser:"@@"`
	Bias  string       `parser:"( ',' 'bias' ':' @( 'yes' | 'no' ) )? ')'"`
}

type dropForm struct {
	Paths []*path `parser:"@@ ( ',' @@ )*"`
}

// expr is a sum of products. It may contain integers, dims, floor and, in scale, sqrt and terms.
type expr struct {
	Tokens []lexer.Token
	Left   *product   `parser:"@@"`
	Right  []*summand `parser:"@@*"`
}

type summand struct {
	Op    string   `parser:"@( '+' | '-' )"`
	Right *product `parser:"@@"`
}

type product struct {
	Tokens []lexer.Token
	Left   *unary        `parser:"@@"`
	Right  []*multiplier `parser:"@@*"`
}

type multiplier struct {
	Op    string `parser:"@( '*' | '/' )"`
	Right *unary `parser:"@@"`
}

type unary struct {
	Minus bool  `parser:"@'-'?"`
	Atom  *atom `parser:"@@"`
}

type atom struct {
	Tokens []lexer.Token
	Number *string `parser:"  @Number"`
	Call   *call   `parser:"| @@"`
	Name   *string `parser:"| @Ident"`
	Paren  *expr   `parser:"| '(' @@ ')'"`
}

type call struct {
	Func string `parser:"@Ident '('"`
	Arg  *expr  `parser:"@@ ')'"`
}

type exprForm struct {
	Value *expr `parser:"@@"`
}

// num is a literal number, not an expression.
type num struct {
	Tokens []lexer.Token
	Minus  bool   `parser:"@'-'?"`
	Text   string `parser:"@Number"`
}

type numForm struct {
	Value *num `parser:"@@"`
}

type wordForm struct {
	Value *reference `parser:"@@"`
}

type pathForm struct {
	Value *path `parser:"@@"`
}

type stringForm struct {
	Value string `parser:"@String"`
}

type normForm struct {
	Kind *reference `parser:"@@"`
	Eps  *num       `parser:"( '(' 'eps' ':' @@ ')' )?"`
}

type dropoutForm struct {
	Hidden    *num `parser:"@@"`
	Attention *num `parser:"( 'attention' @@ )?"`
}

type initForm struct {
	Kind *reference `parser:"@@"`
	Std  *num       `parser:"'(' 'std' ':' @@ ')'"`
}

type tokenForm struct {
	Rows *expr `parser:"@@"`
	Pad  *expr `parser:"( 'pad' @@ )?"`
}

type absoluteForm struct {
	Rows *expr `parser:"@@"`
	From *expr `parser:"( 'from' @@ )?"`
}

type offsetsForm struct {
	Lo *expr `parser:"@@ '..'"`
	Hi *expr `parser:"@@"`
}

type bucketForm struct {
	Kind *reference `parser:"@@"`
	Args []*named   `parser:"( '(' @@ ( ',' @@ )* ')' )?"`
}

type named struct {
	Tokens []lexer.Token
	Key    string `parser:"@Ident ':'"`
	Value  *expr  `parser:"@@"`
}

type scoreForm struct {
	Terms []*termForm `parser:"@@ ( '+' @@ )*"`
}

type termForm struct {
	Tokens []lexer.Token
	Left   *factorForm `parser:"@@"`
	Right  *factorForm `parser:"( ( '·' | '.' ) @@ )?"`
}

type factorForm struct {
	Tokens []lexer.Token
	Name   string `parser:"@Ident '['"`
	Index  string `parser:"@Ident ( @'-' @Ident )? ']'"`
}

type maskForm struct {
	Key    string `parser:"@'j'"`
	Causal bool   `parser:"( @'<=' 'i'"`
	Prefix bool   `parser:"( @'or' 'prefix' '[' 'j' ']' )? )?"`
}

type mixForm struct {
	What string `parser:"@( 'score' | 'weight' )"`
}

type besideForm struct {
	Layer *expr `parser:"'layer' @@"`
}

type repeatForm struct {
	Times *expr `parser:"@@ 'of' 'encoder' '.' 'last'"`
}

type stateForm struct {
	Back *expr      `parser:"'encoder' '[' '-' @@ ']'"`
	Add  *reference `parser:"( '+' @@ )?"`
}

type takeForm struct {
	What *reference `parser:"@@"`
	Pick *reference `parser:"( '(' @@ ')' )?"`
	Plus *reference `parser:"( '+' @@ )?"`
}

type linearForm struct {
	Out  *expr        `parser:"@@"`
	Tied *path        `parser:"( 'tied' @@ )?"`
	As   *meaningForm `parser:"( 'as' @@ )?"`
}

type meaningForm struct {
	Tokens []lexer.Token
	Kind   string   `parser:"@Ident"`
	Labels []string `parser:"( '(' @String ( ',' @String )* ')' )?"`
}

type lstmForm struct {
	Size *expr `parser:"@@"`
	Both bool  `parser:"@'both'?"`
}

type lossForm struct {
	Kind *reference  `parser:"@@"`
	Args []*numbered `parser:"( '(' @@ ( ',' @@ )* ')' )?"`
}

// numbered is a setting whose value is one number.
type numbered struct {
	Tokens []lexer.Token
	Key    string `parser:"@Ident ':'"`
	Value  *num   `parser:"@@"`
}

type promptForm struct {
	Schema  bool   `parser:"( @'schema'"`
	After   bool   `parser:"| 'labels' @'after'?"`
	Last    bool   `parser:"@'last'?"`
	Mark    string `parser:"'mark' @String"`
	End     string `parser:"'end' @String"`
	Example string `parser:"( 'example' @String )? )"`
}

type textForm struct {
	How *reference `parser:"@@"`
	End bool       `parser:"( @'from' 'end' )?"`
}

type unitForm struct {
	Scaled bool `parser:"@'scaled'"`
}

type labelScoreForm struct {
	Kind   *reference `parser:"@@"`
	Heads  *expr      `parser:"( '(' 'heads' ':' @@ ')' )?"`
	Widths []*expr    `parser:"( @@ ( ',' @@ )* )?"`
}

type boundsForm struct {
	Width  *expr       `parser:"@@"`
	Attend []*sizeForm `parser:"( 'attend' '(' @@ ( ',' @@ )* ')' )?"`
	Refine *expr       `parser:"( 'refine' @@"`
	FFN    *expr       `parser:"'ffn' @@ )?"`
}

type poolForm struct {
	Most  *expr `parser:"'<=' @@"`
	Top   *expr `parser:"'from' @@"`
	Least *expr `parser:"( 'least' @@ )?"`
}

type candidatesForm struct {
	Width   *expr `parser:"@@"`
	Content *expr `parser:"( 'content' @@"`
	Soft    bool  `parser:"@'soft'? )?"`
	Film    *expr `parser:"'film' @@"`
	Inside  bool  `parser:"@'inside'?"`
}

type absentForm struct {
	Above *num `parser:"'above' @@"`
}

type temperatureForm struct {
	Pairs   *num `parser:"( 'pairs' @@ )?"`
	Classes *num `parser:"( 'classes' @@ )?"`
}

type layersForm struct {
	Widths []*expr `parser:"'layers' @@ ( ',' @@ )*"`
}

type countsForm struct {
	Count  *expr   `parser:"@@"`
	Widths []*expr `parser:"'layers' @@ ( ',' @@ )*"`
}

type gruForm struct {
	Count *expr `parser:"@@ 'steps'"`
}

type fieldsForm struct {
	Kind   *reference  `parser:"@@"`
	Args   []*sizeForm `parser:"( '(' @@ ( ',' @@ )* ')' )?"`
	Widths []*expr     `parser:"@@ ( ',' @@ )*"`
}

// sizeForm is a size with its name.
type sizeForm struct {
	Tokens []lexer.Token
	Key    string `parser:"@Ident ':'"`
	Value  *expr  `parser:"@@"`
}

type spansForm struct {
	Width *expr `parser:"'<=' @@ 'markers'"`
}

type tokensForm struct {
	Start bool `parser:"@'start' 'end' 'inside'"`
}

type memberForm struct {
	Head   *path `parser:"@@"`
	Weight *num  `parser:"( 'weight' @@ )?"`
}

// countForm is a number with its unit. The check after parsing demands the unit.
type countForm struct {
	Value *num     `parser:"@@"`
	Unit  *unitTok `parser:"@@?"`
}

type batchForm struct {
	Value *num     `parser:"@@"`
	Unit  *unitTok `parser:"@@?"`
	Part  *num     `parser:"( 'in' 'parts' 'of' @@ )?"`
}

type atMostForm struct {
	Value *num     `parser:"'<=' @@"`
	Unit  *unitTok `parser:"@@?"`
}

// unitTok is a unit. Words that continue the statement are not units, so that a number without its unit has the message about the unit.
type unitTok struct {
	Tokens []lexer.Token
	Name   string `parser:"(?! 'then' | 'layers' | 'mix' | 'in' | 'of' | 'runs' | 'keep' | 'random' ) @( Ident | '%' )"`
}

type precisionForm struct {
	Compute *reference `parser:"@@"`
	Master  *reference `parser:"( 'master' @@ )?"`
}

type optimizerForm struct {
	Kind *reference `parser:"@@"`
	Args []*setting `parser:"( '(' @@ ( ',' @@ )* ')' )?"`
}

type setting struct {
	Tokens []lexer.Token
	Key    string       `parser:"@Ident ':'"`
	Values []*num       `parser:"( @@+"`
	Except []*reference `parser:"( 'except' @@+ )?"`
	Word   string       `parser:"| @Ident )"`
}

type lookaheadForm struct {
	Every *num     `parser:"@@"`
	Unit  *unitTok `parser:"@@?"`
	Mix   *num     `parser:"( 'mix' @@ )?"`
}

type rateForm struct {
	Peak   *num        `parser:"@@"`
	Warmup *countForm  `parser:"( 'warmup' @@ )?"`
	Then   *courseForm `parser:"( 'then' @@ )?"`
	Layers *num        `parser:"( 'layers' @@ )?"`
}

type courseForm struct {
	Tokens []lexer.Token
	Kind   *reference `parser:"@@"`
	Power  *num       `parser:"@@?"`
	Start  bool       `parser:"( @'from' 'start' )?"`
	To     *num       `parser:"( 'to' @@ )?"`
}

type freezeForm struct {
	Parts []*frozenForm `parser:"@@ ( ',' @@ )*"`
}

type frozenForm struct {
	Tokens []lexer.Token
	Name   *path `parser:"@@"`
	First  *expr `parser:"( '[' @@"`
	Last   *expr `parser:"( '..' @@ )? ']' )?"`
}

type loraForm struct {
	Of      []*reference `parser:"@@ ( ',' @@ )*"`
	Rank    *num         `parser:"'rank' @@"`
	Alpha   *num         `parser:"( 'alpha' @@ )?"`
	Dropout *num         `parser:"( 'dropout' @@ )?"`
}

type weighForm struct {
	Labels []*num `parser:"'labels' @@+"`
}

type negativesForm struct {
	Ratio *num       `parser:"@@"`
	From  *reference `parser:"'from' @@"`
}

type replaceForm struct {
	From  *path   `parser:"'from' @@"`
	Share []*path `parser:"( 'share' @@ ( ',' @@ )*"`
	Stop  bool    `parser:"( @'stopping' 'gradient' )? )?"`
}

type maskingForm struct {
	Share  *countForm `parser:"@@"`
	Of     *reference `parser:"( 'of' @@ )?"`
	Runs   *num       `parser:"( 'runs' '<=' @@ )?"`
	Keep   *countForm `parser:"( 'keep' @@ )?"`
	Random *countForm `parser:"( 'random' @@ )?"`
}

type alsoForm struct {
	Head   *path      `parser:"@@"`
	Share  *reference `parser:"'share' @@"`
	Weight *num       `parser:"( 'weight' @@ )?"`
}

type isaForm struct {
	Names []*reference `parser:"@@ ( ',' @@ )*"`
}

type weightsForm struct {
	Kind    *reference `parser:"@@"`
	Channel bool       `parser:"( @'per' 'channel' )?"`
}

type adaptersForm struct {
	Value *num `parser:"'rank' '<=' @@"`
}

type agreeForm struct {
	Value *num `parser:"@@ 'with' 'reference'"`
}

type emitForm struct {
	Kind    string `parser:"@( 'infer' | 'train' )"`
	Of      *path  `parser:"@@"`
	Package string `parser:"( 'as' 'package' @String )?"`
}
