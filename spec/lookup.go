package spec

// Model returns the model of a name, or nil.
func (s *Spec) Model(name string) *Model {
	for _, m := range s.Models {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// Head returns the head with a full name, model.head, or nil.
func (s *Spec) Head(name string) *Head {
	for _, h := range s.Heads {
		if h.FullName() == name {
			return h
		}
	}
	return nil
}

// HeadsOf returns a model's heads in the order of the file.
func (s *Spec) HeadsOf(m *Model) []*Head {
	var heads []*Head
	for _, h := range s.Heads {
		if h.Model == m {
			heads = append(heads, h)
		}
	}
	return heads
}

// Ensemble returns the ensemble of a name, or nil.
func (s *Spec) Ensemble(name string) *Ensemble {
	for _, e := range s.Ensembles {
		if e.Name == name {
			return e
		}
	}
	return nil
}

// Train returns the training of a name, or nil.
func (s *Spec) Train(name string) *Train {
	for _, t := range s.Trains {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// Target returns the target of a name, or nil. The empty name is the first target.
func (s *Spec) Target(name string) *Target {
	for _, t := range s.Targets {
		if name == "" || t.Name == name {
			return t
		}
	}
	return nil
}

// Dim returns the dim of a name, and false if there is no such dim.
func (m *Model) Dim(name string) (Dim, bool) {
	for _, d := range m.Dims {
		if d.Name == name {
			return d, true
		}
	}
	return Dim{}, false
}

// Proj returns the projection of a name, or nil.
func (a *Attention) Proj(name string) *Proj {
	for _, p := range a.Projections {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// Value returns the projection v, whose rows are averaged with the attention weights.
func (a *Attention) Value() *Proj { return a.Proj("v") }
