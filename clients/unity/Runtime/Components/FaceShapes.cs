using System.Collections.Generic;
using UnityEngine;

namespace TokenMocap.Unity
{
    /// <summary>An avatar's blend shapes that show ARKit's expressions, found by their names on all of its meshes.</summary>
    public sealed class FaceShapes
    {
        private struct Shape
        {
            public SkinnedMeshRenderer Renderer;
            public int Index;
            public int Expression;
            public float FullWeight; // 100 from most exporters
        }

        private readonly List<Shape> _shapes = new List<Shape>();

        public FaceShapes(Animator animator)
        {
            foreach (SkinnedMeshRenderer renderer in animator.GetComponentsInChildren<SkinnedMeshRenderer>(true))
            {
                Mesh mesh = renderer.sharedMesh;
                for (int i = 0; mesh != null && i < mesh.blendShapeCount; i++)
                {
                    int expression = Expressions.Find(mesh.GetBlendShapeName(i));
                    if (expression < 0) continue;
                    float fullWeight = mesh.GetBlendShapeFrameWeight(i, mesh.GetBlendShapeFrameCount(i) - 1);
                    _shapes.Add(new Shape { Renderer = renderer, Index = i, Expression = expression, FullWeight = fullWeight });
                }
            }
        }

        /// <summary>How many were found.</summary>
        public int Count => _shapes.Count;

        /// <summary>Shows an expression; `share` says how far, 0..1, from what is shown now.</summary>
        public void Apply(FacePose face, float share)
        {
            if (share <= 0) return;
            foreach (Shape shape in _shapes)
            {
                float now = shape.Renderer.GetBlendShapeWeight(shape.Index);
                float wanted = face.BlendShapes[shape.Expression] * shape.FullWeight;
                shape.Renderer.SetBlendShapeWeight(shape.Index, now + share * (wanted - now));
            }
        }
    }
}
