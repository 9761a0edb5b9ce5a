package spec

// Model finds a model by name, or nil.
func (s *Spec) Model(name string) *Model {
	for _, m := range s.Models {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// Head finds a head by its full name, model.head, or nil.
func (s *Spec) Head(name string) *Head {
	for _, h := range s.Heads {
		if h.FullName() == name {
			return h
		}
	}
	return nil
}

// HeadsOf lists a model's heads in the order of the file.
func (s *Spec) HeadsOf(m *Model) []*Head {
	var heads []*Head
	for _, h := range s.Heads {
		if h.Model == m {
			heads = append(heads, h)
		}
	}
	return heads
}

// Ensemble finds an ensemble by name, or nil.
func (s *Spec) Ensemble(name string) *Ensemble {
	for _, e := range s.Ensembles {
		if e.Name == name {
			return e
		}
	}
	return nil
}

// Train finds a training by name, or nil.
func (s *Spec) Train(name string) *Train {
	for _, t := range s.Trains {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// Target finds a target by name; the empty name is the first one. Nil if there is none of that name.
func (s *Spec) Target(name string) *Target {
	for _, t := range s.Targets {
		if name == "" || t.Name == name {
			return t
		}
	}
	return nil
}

// Dim finds a dim by name.
func (m *Model) Dim(name string) (Dim, bool) {
	for _, d := range m.Dims {
		if d.Name == name {
			return d, true
		}
	}
	return Dim{}, false
}

// Proj finds a projection by name, or nil.
func (a *Attention) Proj(name string) *Proj {
	for _, p := range a.Projections {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// Value returns the projection that is averaged with the attention weights, the one named v.
func (a *Attention) Value() *Proj { return a.Proj("v") }
