package control

import (
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// describeImageGenerationConfiguration answers
// DescribeImageGenerationConfiguration; without a configuration the answer is
// empty.
func (a *API) describeImageGenerationConfiguration(c *awsserve.Call, in *model.DescribeImageGenerationConfigurationInput) (*model.DescribeImageGenerationConfigurationOutput, error) {
	s, err := a.onStream(c, in.StreamName, in.StreamARN)
	if err != nil || s.Attributes.ImageGeneration == nil {
		return &model.DescribeImageGenerationConfigurationOutput{}, err
	}
	config := new(model.ImageGenerationConfiguration)
	if err := readDocument(s.Attributes.ImageGeneration, config); err != nil {
		return nil, err
	}
	return &model.DescribeImageGenerationConfigurationOutput{ImageGenerationConfiguration: config}, nil
}
